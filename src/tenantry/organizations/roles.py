"""Who may do what in an organization, in one table. What a person holds for themselves, they may do everything with."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from tenantry.kernel import Module
from tenantry.kernel.permissions import Permission
from tenantry.web import mark

Role: TypeAlias = Literal["owner", "admin", "member"]
Given: TypeAlias = Literal["admin", "member"]
"""A role that can be given; the owner's is handed over."""

EDIT = Permission("organization:edit", "Give the organization another name.")
DELETE = Permission("organization:delete", "Delete the organization with everything it holds.")
TRANSFER = Permission("organization:transfer", "Make another member the owner.")
INVITE = Permission("members:invite", "Invite people, and take invitations back.")
REMOVE = Permission("members:remove", "Remove members and admins; nobody removes the owner.")
CHANGE_ROLE = Permission("members:change_role", "Make members admins, and admins members; nobody changes the owner.")
PERMISSIONS: Final = (EDIT, DELETE, TRANSFER, INVITE, REMOVE, CHANGE_ROLE)

# The names of upper rooms' permissions stand here too: this is the one place to look.
_MEMBER: Final = ("keys:read", "usage:read", "credits:read", "credits:spend", "billing:read")
_ADMIN: Final = (
    *_MEMBER, "keys:write", "billing:write", "trials:convert", EDIT.name, INVITE.name, REMOVE.name, CHANGE_ROLE.name,
)  # fmt: skip
_OWNER: Final = (*_ADMIN, DELETE.name, TRANSFER.name)
ROLES: Final[Mapping[Role, tuple[str, ...]]] = {"owner": _OWNER, "admin": _ADMIN, "member": _MEMBER}
DESCRIPTIONS: Final[Mapping[Role, str]] = {
    "owner": mark("May do everything. An organization has one owner, always."),
    "admin": mark("May do everything but hand the organization over or delete it."),
    "member": mark("Uses what the organization has, and sees who belongs to it."),
}


def rights(modules: Iterable[Module]) -> dict[str, frozenset[str]]:
    """The names of the permissions of each role: those of the table, and what authors' permissions say of themselves.

    "person" is somebody with what is their own, "operator" who has the role ADMIN: what nobody else has is theirs.
    """
    found: dict[str, set[str]] = {role: set(names) for role, names in ROLES.items()} | {"operator": set()}
    for permission in (one for module in modules for one in module.permissions):
        for role in permission.roles:
            found[role].add(permission.name)
    found["person"] = found["owner"] - {one.name for one in PERMISSIONS}
    return {role: frozenset(names) for role, names in found.items()}
