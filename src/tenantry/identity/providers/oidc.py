"""Sign-in with any OpenID Connect provider: discovery, code flow with PKCE, a verified id_token."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from tenantry.kernel.clock import Clock
from tenantry.kernel.extras import require_installed

from ..errors import ProviderAnswerInvalid, SignInMixedUp
from .base import Answer, ExternalProfile, Granted, Pending, Registration
from .http import ProviderHttp
from .id_token import HASH_OF, Expected, SigningKeys, verified_claims
from .profiles import external_profile, granted_tokens
from .remembered import Remembered

DISCOVERY_SECONDS = 3600.0
SCOPE = "openid profile email"


class Discovery(msgspec.Struct, frozen=True):
    """What we need of a provider's metadata (OpenID Connect Discovery 1.0, 3); defaults are the document's own."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class OpenIDProvider:
    """See `SignInProvider`. `stored_issuer` is what accounts are kept under, by default the issuer itself."""

    def __init__(
        self,
        issuer: str,
        registration: Registration,
        clock: Clock,
        *,
        stored_issuer: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = registration.name
        self.label = registration.label
        self.is_demo = registration.is_demo
        self._issuer = issuer.rstrip("/")
        self._stored_issuer = stored_issuer
        self.issuer = stored_issuer or self._issuer
        self._client_id = registration.client_id
        self._clock = clock
        self._parameters = dict(registration.parameters)
        self._http = ProviderHttp(registration, scope=registration.scope(SCOPE))
        self._discovery = Remembered(self._discovered, monotonic, seconds=DISCOVERY_SECONDS)
        self._keys = SigningKeys(self._published_keys, monotonic)

    async def open(self) -> None:
        require_installed("joserfc")
        await self._http.open()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def authorization_url(self, pending: Pending) -> str:
        found = await self._discovery.get()
        more = {"nonce": pending.nonce, **self._parameters}
        return await self._http.authorization_url(found.authorization_endpoint, pending, **more)

    async def profile(self, pending: Pending, answer: Answer) -> ExternalProfile:
        found = await self._discovery.get()
        _refuse_mix_up(found, answer)
        token = await self._http.token(
            found.token_endpoint, pending, answer.code, authentication=_authentication(found)
        )
        granted = granted_tokens(token, self._clock.now())
        claims = await verified_claims(
            token.get("id_token"),
            keys=self._keys,
            expected=Expected(
                issuer=found.issuer,
                client_id=self._client_id,
                nonce=pending.nonce,
                algorithms=_algorithms(found),
                access_token=token["access_token"],
            ),
            now=int(self._clock.now().timestamp()),
        )
        if "email" not in claims and found.userinfo_endpoint is not None:
            claims = await self._with_userinfo(claims, found.userinfo_endpoint, token["access_token"])
        return replace(external_profile(self._stored_issuer or found.issuer, claims), granted=granted)

    async def refresh(self, refresh_token: str) -> Granted:
        found = await self._discovery.get()
        told = await self._http.refreshed(found.token_endpoint, refresh_token, authentication=_authentication(found))
        # An id_token that comes along is left: nobody asks it anything, so nobody has verified it.
        return replace(granted_tokens(told, self._clock.now()), id_token=None)

    async def revoke(self, granted: Granted) -> None:
        found = await self._discovery.get()
        if found.revocation_endpoint is None:
            return
        # The refresh token first: with it most providers end the whole grant (RFC 7009, 2.1).
        for kind in ("refresh_token", "access_token"):
            if (token := getattr(granted, kind)) is not None:
                await self._http.revoke(
                    found.revocation_endpoint, token, hint=kind, authentication=_authentication(found)
                )

    async def _with_userinfo(self, claims: dict[str, Any], url: str, access_token: str) -> dict[str, Any]:
        told = await self._http.document(url, bearer=access_token)
        # Core 5.3.2: an answer about somebody else must not be used.
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
            raise ProviderAnswerInvalid(internal=f"{self.name}: userinfo is about somebody else")
        # Whether an address is proven is said by who says the address.
        return {**told, **claims, "email_verified": told.get("email_verified")}

    async def _discovered(self) -> Discovery:
        document = await self._http.document(f"{self._issuer}/.well-known/openid-configuration")
        try:
            found = msgspec.convert(document, Discovery)
        except ValueError as error:  # msgspec's are some; another is a lone surrogate, which it cannot name.
            raise ProviderAnswerInvalid(internal=f"{self.name}: discovery: {error}") from error
        # Settings are kept without a slash at the end, which some issuers have; both name the same document.
        if found.issuer not in (self._issuer, f"{self._issuer}/"):
            raise ProviderAnswerInvalid(internal=f"{self.name}: discovery names another issuer")
        for name in found.__struct_fields__:
            if name == "jwks_uri" or name.endswith("_endpoint"):
                self._refuse_plain(getattr(found, name))
        return found

    def _refuse_plain(self, url: str | None) -> None:
        """An issuer reached by https keeps to it."""
        try:
            is_fine = url is None or urlsplit(url).scheme in ("https", urlsplit(self._issuer).scheme)
        except ValueError:
            is_fine = False
        if not is_fine:
            raise ProviderAnswerInvalid(internal=f"{self.name}: discovery names an address that is not https")

    async def _published_keys(self) -> Any:
        return await self._http.document((await self._discovery.get()).jwks_uri)


def _refuse_mix_up(found: Discovery, answer: Answer) -> None:
    """RFC 9207, 2.4: an `iss` must be the issuer we asked; where the provider promises one, it must be there."""
    if answer.issuer is None and not found.authorization_response_iss_parameter_supported:
        return
    if answer.issuer != found.issuer:
        raise SignInMixedUp(internal="the iss parameter is missing or another issuer's")


def _algorithms(found: Discovery) -> tuple[str, ...]:
    return tuple(name for name in found.id_token_signing_alg_values_supported if name in HASH_OF) or ("RS256",)


def _authentication(found: Discovery) -> str:
    # In the body the encoding of ids and secrets is beyond doubt; in the header servers differ (RFC 6749, 2.3.1).
    known = found.token_endpoint_auth_methods_supported
    return "client_secret_post" if "client_secret_post" in known else "client_secret_basic"
