"""The ways to sign in that a product offers. Client ids, secrets and addresses come from the settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .shapes import must_be, must_be_text, settle_list


@dataclass(frozen=True, slots=True)
class Google:
    """Sign in with a Google account.

    `scopes` are further ones than signing in needs, for calling Google on a person's behalf with
    `identity.provider_token`: "https://www.googleapis.com/auth/calendar.readonly". Who came before they were declared
    agrees at their next sign-in. `offline=True` asks for tokens that can be refreshed while the person is away; Google
    then asks for consent at every sign-in.
    """

    scopes: Sequence[str] = ()
    offline: bool = False
    name: str = field(default="google", init=False)
    label: str = field(default="Google", init=False)

    def __post_init__(self) -> None:
        settle_list(self, "scopes", str)
        must_be(self, "offline", self.offline, bool)


@dataclass(frozen=True, slots=True)
class GitHub:
    """Sign in with a GitHub account. `scopes` as in Google: "repo". Whether tokens end, the app at GitHub says."""

    scopes: Sequence[str] = ()
    name: str = field(default="github", init=False)
    label: str = field(default="GitHub", init=False)

    def __post_init__(self) -> None:
        settle_list(self, "scopes", str)


@dataclass(frozen=True, slots=True)
class OpenIDConnect:
    """Sign in with an OpenID Connect provider.

    `name` is stored with every linked account and stands in the address of the callback, so it never changes;
    `label` is what the button says. `scopes` as in Google; `offline=True` asks for `offline_access`, and with it for
    consent at every sign-in (OpenID Connect Core 1.0, 11).
    """

    name: str = "oidc"
    label: str = "Single sign-on"
    scopes: Sequence[str] = ()
    offline: bool = False

    def __post_init__(self) -> None:
        must_be_text(self, "name", "label")
        settle_list(self, "scopes", str)
        must_be(self, "offline", self.offline, bool)


@dataclass(frozen=True, slots=True)
class Password:
    """Sign in with an e-mail address and a password.

    `length_min` is in characters (8 to 64). `sign_up=False` lets nobody register this way: only those who came in
    another way, or were imported, sign in with a password.
    """

    length_min: int = 8
    sign_up: bool = True
    name: str = field(default="password", init=False)
    label: str = field(default="Password", init=False)

    def __post_init__(self) -> None:
        must_be(self, "length_min", self.length_min, int)
        must_be(self, "sign_up", self.sign_up, bool)


@dataclass(frozen=True, slots=True)
class MagicLink:
    """Sign in with a link, or the code beside it, that is mailed to one's address. `sign_up=False`: as in Password."""

    sign_up: bool = True
    name: str = field(default="link", init=False)
    label: str = field(default="E-mail", init=False)

    def __post_init__(self) -> None:
        must_be(self, "sign_up", self.sign_up, bool)


@dataclass(frozen=True, slots=True)
class Passkey:
    """Sign in with a passkey (WebAuthn) that was made in the settings before."""

    name: str = field(default="passkey", init=False)
    label: str = field(default="Passkey", init=False)


Provider: TypeAlias = Google | GitHub | OpenIDConnect
"""A way in that somebody else vouches for."""

SignIn: TypeAlias = Provider | Password | MagicLink | Passkey
"""Anything that may stand in `Product.sign_in`."""
