"""A right that can be granted, as data."""

from typing import Literal

import msgspec


class Permission(msgspec.Struct, frozen=True):
    """A right that can be granted: its name (`usage:read`) and what it allows, in a sentence.

    `roles`: who has it without being granted it: "owner", "admin" and "member" with what is their organization's, an
    "owner" with their own things too, an "operator" (who has the role ADMIN) with everybody's.
    """

    name: str
    description: str
    roles: tuple[Literal["owner", "admin", "member", "operator"], ...] = ()
