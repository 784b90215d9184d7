"""The ways to sign in that a product offers. Client ids, secrets and addresses come from the settings."""

from dataclasses import dataclass, field
from typing import TypeAlias

from .shapes import must_be_text


@dataclass(frozen=True, slots=True)
class Google:
    """Sign in with a Google account."""

    name: str = field(default="google", init=False)
    label: str = field(default="Google", init=False)


@dataclass(frozen=True, slots=True)
class GitHub:
    """Sign in with a GitHub account."""

    name: str = field(default="github", init=False)
    label: str = field(default="GitHub", init=False)


@dataclass(frozen=True, slots=True)
class OpenIDConnect:
    """Sign in with an OpenID Connect provider.

    `name` is stored with every linked account and stands in the address of the callback, so it never changes;
    `label` is what the button says.
    """

    name: str = "oidc"
    label: str = "Single sign-on"

    def __post_init__(self) -> None:
        must_be_text(self, "name", "label")


SignIn: TypeAlias = Google | GitHub | OpenIDConnect
"""Anything that may stand in `Product.sign_in`."""
