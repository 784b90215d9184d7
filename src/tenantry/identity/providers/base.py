"""What a sign-in provider does for us, in our nouns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

import msgspec


class Registration(msgspec.Struct, frozen=True):
    """What this installation calls a provider, and what the provider knows it by.

    `scopes` and `parameters` are asked of it beside what signing in needs.
    """

    name: str
    label: str
    client_id: str
    client_secret: str
    is_demo: bool = False
    scopes: tuple[str, ...] = ()
    parameters: Mapping[str, str] = {}

    def scope(self, needed: str) -> str:
        """All scopes, as a request names them."""
        return " ".join(dict.fromkeys((*needed.split(), *self.scopes)))

    def __repr__(self) -> str:
        return f"Registration({self.name!r}, {self.client_id!r})"


class Pending(msgspec.Struct, frozen=True):
    """A sign-in under way: what we said when we sent the browser off, and what must come back.

    `redirect_uri` is kept because the code is redeemed with the address that it was asked for (RFC 6749, 4.1.3);
    `return_to` is where the person wanted to go. With `user_id` nobody signs in: that user, signed in already, connects
    an account, and must be signed in here when the browser comes back.
    """

    provider: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    return_to: str
    user_id: UUID | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the browser brought back. `issuer` is the `iss` parameter of RFC 9207, None when there was none."""

    code: str
    issuer: str | None = None


class Granted(msgspec.Struct, frozen=True):
    """What a token endpoint gave, to be kept sealed. Texts are bounded; what was too long or no text is None."""

    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: datetime | None = None
    id_token: str | None = None
    scope: str | None = None
    token_type: str | None = None
    session_state: str | None = None

    def __repr__(self) -> str:
        return f"Granted(expires_at={self.expires_at!r})"


class ExternalProfile(msgspec.Struct, frozen=True):
    """Who a provider says this is. `subject` is the provider's own id, never an address or a name.

    Texts are clean: `email` is a valid address or None, `name` 1 to 255 printable characters or None, `image` an
    https address or None. `granted` are the tokens that came with it.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None
    image: str | None
    type: Literal["oauth", "oidc"] = "oidc"
    granted: Granted | None = None


class SignInProvider(Protocol):
    """One way to sign in. `name` stands in addresses and with every account; `label` is what the button says."""

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def is_demo(self) -> bool:
        """Whether anybody may be anybody there; shown as such, never built in production."""
        ...

    @property
    def issuer(self) -> str:
        """What its accounts are kept under, without a slash at the end."""
        ...

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    async def authorization_url(self, pending: Pending) -> str:
        """Where the browser goes to sign in. Raises ProviderUnreachable or ProviderAnswerInvalid."""
        ...

    async def profile(self, pending: Pending, answer: Answer) -> ExternalProfile:
        """Redeem the code and say who signed in.

        Raises SignInExpired (a code that was used or is too old), SignInMixedUp, ProviderRefused, ProviderUnreachable
        or ProviderAnswerInvalid.
        """
        ...

    async def refresh(self, refresh_token: str) -> Granted:
        """New tokens for a refresh token (RFC 6749, 6); without a new refresh token the old one stays good.

        Raises ConnectionLost (it is no longer accepted), ProviderRefused, ProviderUnreachable or ProviderAnswerInvalid.
        """
        ...

    async def revoke(self, granted: Granted) -> None:
        """Say that these tokens are wanted no longer, where the provider lets one; those it does not know are as good.

        Raises ProviderUnreachable or ProviderAnswerInvalid.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignInProviders:
    """The ways in that work on this installation, in the order of the buttons: `ctx.port(SignInProviders)`."""

    all: tuple[SignInProvider, ...] = ()

    def get(self, name: str) -> SignInProvider | None:
        """The provider of that name."""
        return next((one for one in self.all if one.name == name), None)

    async def open(self) -> None:
        """Make every provider ready; on the event loop that will use it."""
        for one in self.all:
            await one.open()

    async def aclose(self) -> None:
        """Close every provider's connections."""
        for one in self.all:
            await one.aclose()
