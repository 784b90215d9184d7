"""A right that can be granted, as data, and what a member of an organization may do with what it holds."""

from typing import TYPE_CHECKING, Literal

import msgspec

from .problems import RoleRefused

if TYPE_CHECKING:
    from .context import Context


class Permission(msgspec.Struct, frozen=True):
    """A right that can be granted: its name (`usage:read`) and what it allows, in a sentence.

    `roles`: who has it without being granted it: "owner", "admin" and "member" with what is their organization's, an
    "owner" with their own things too, an "operator" (who has the role ADMIN) with everybody's.
    """

    name: str
    description: str
    roles: tuple[Literal["owner", "admin", "member", "operator"], ...] = ()


def member_may(ctx: "Context", permission: Permission) -> bool:
    """Whether the actor may do this with what the context's holder has.

    Asked of people who work for an organization: their role there says so. With what is a person's own, their trial
    workspaces too, they may everything; and what a key of a holder's may do, its scopes say and not this.
    """
    if ctx.actor.kind != "user" or ctx.current_holder is None or ctx.current_holder.kind != "organization":
        return True
    return permission.name in ctx.actor.permissions


def require_of_member(ctx: "Context", permission: Permission) -> None:
    """Refuse (403, `RoleRefused`) whoever may not, as `member_may` has it."""
    if not member_may(ctx, permission):
        raise RoleRefused(permission=permission.name)
