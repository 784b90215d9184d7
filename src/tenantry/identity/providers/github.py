"""Sign-in with GitHub: OAuth 2 with habits of its own.

The token endpoint reports errors with status 200 and answers in form encoding unless asked for JSON; there is no
id_token, so who signed in is read from the API; the address in a profile is a public one that anybody may write, so
only the primary and verified one of `/user/emails` counts. Rules from GitHub's documentation of OAuth apps and of the
REST API (users, emails, OAuth authorizations).
"""

from typing import Any

from msgspec.structs import replace

from tenantry.kernel.clock import Clock

from ..errors import ProviderAnswerInvalid, SignInMixedUp
from .base import Answer, ExternalProfile, Granted, Pending, Registration
from .http import ProviderHttp
from .profiles import external_profile, granted_tokens

ISSUER = "https://github.com"
API = "https://api.github.com"
SCOPE = "read:user user:email"


class GitHubProvider:
    """See `SignInProvider`. `web` is where people go: GitHub itself, or a GitHub Enterprise Server."""

    is_demo = False

    def __init__(self, registration: Registration, clock: Clock, *, web: str = ISSUER) -> None:
        self.name = registration.name
        self.label = registration.label
        self.issuer = self._web = web
        self._api = API if web == ISSUER else f"{web}/api/v3"
        self._clock = clock
        self._grant = f"{self._api}/applications/{registration.client_id}/grant"
        self._http = ProviderHttp(registration, scope=registration.scope(SCOPE))

    async def open(self) -> None:
        await self._http.open()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def authorization_url(self, pending: Pending) -> str:
        return await self._http.authorization_url(f"{self._web}/login/oauth/authorize", pending)

    async def profile(self, pending: Pending, answer: Answer) -> ExternalProfile:
        # Not promised by GitHub, but if there is one it must be theirs.
        if answer.issuer not in (None, self._web, f"{self._web}/login/oauth"):
            raise SignInMixedUp(internal="the iss parameter is another issuer's")
        token = await self._http.token(
            f"{self._web}/login/oauth/access_token", pending, answer.code, authentication="client_secret_post"
        )
        granted, bearer = granted_tokens(token, self._clock.now()), token["access_token"]
        user = await self._http.document(f"{self._api}/user", bearer=bearer)
        number = user.get("id") if isinstance(user, dict) else None
        # The login can be renamed and then taken by somebody else; the number is for ever.
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ProviderAnswerInvalid(internal="github: the user has no number")
        claims = {
            "sub": str(number),
            "email": _primary(await self._http.document(f"{self._api}/user/emails", bearer=bearer)),
            "email_verified": True,
            "name": user.get("name") or user.get("login"),
            "picture": user.get("avatar_url"),
        }
        return replace(external_profile(self._web, claims, protocol="oauth"), granted=granted)

    async def refresh(self, refresh_token: str) -> Granted:
        told = await self._http.refreshed(
            f"{self._web}/login/oauth/access_token", refresh_token, authentication="client_secret_post"
        )
        return granted_tokens(told, self._clock.now())

    async def revoke(self, granted: Granted) -> None:
        if granted.access_token is not None:
            await self._http.delete(self._grant, {"access_token": granted.access_token})


def _primary(emails: Any) -> Any:
    """The address that is primary and verified; None when there is none."""
    listed = emails if isinstance(emails, list) else []
    for one in listed:
        if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True:
            return one.get("email")
    return None
