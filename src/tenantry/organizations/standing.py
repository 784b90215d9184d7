"""What somebody is in an organization, and what they may do there: looked up, never taken from the session.

A session knows what its person was when the request began. Of two admins who remove each other the second one is none
any more: so every change locks the organization first, and then reads who asks.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.permissions import Permission
from tenantry.kernel.problems import Forbidden
from tenantry.product import Organizations

from . import queries
from .errors import MemberNotFound, OrganizationNotFound
from .roles import Role
from .rows import Organization, OwnOrganization


class Standing(msgspec.Struct, frozen=True):
    """A locked organization, what who asks is there, and what another member is whom it is about."""

    organization: Organization
    role: Role
    other: Role | None = None

    @property
    def of_other(self) -> Role:
        """What that member is. Raises `MemberNotFound`."""
        if self.other is None:
            raise MemberNotFound
        return self.other


@asynccontextmanager
async def changing(
    ctx: Context, organization_id: UUID, permission: Permission | None, *, other: UUID | None = None
) -> AsyncIterator[tuple[Context, Standing]]:
    """An organization of who asks, locked, in a unit on the service login that commits at the end.

    Raises `OrganizationNotFound` (404) for who does not belong to it, and `Forbidden` (403) without the permission.
    """
    async with ctx.service() as working:
        yield working, await lock(working, organization_id, permission, other=other)


async def lock(
    ctx: Context, organization_id: UUID, permission: Permission | None, *, other: UUID | None = None
) -> Standing:
    """The same in a unit that is open already."""
    asks = ctx.user_id
    organization = await queries.organizations.lock(ctx.db, organization_id, user=asks)
    if organization is None:
        raise OrganizationNotFound
    found = await queries.members.roles(ctx.db, organization_id, asks, other)
    if asks not in found:
        raise OrganizationNotFound
    require(ctx, found[asks], permission)
    return Standing(organization, found[asks], found.get(other) if other else None)


async def look(ctx: Context, organization_id: UUID, permission: Permission | None = None) -> OwnOrganization:
    """An organization of who asks, in the open unit, locked for nobody. Raises as `changing` does."""
    found = await queries.organizations.one_of_user(ctx.db, ctx.user_id, organization_id)
    if found is None:
        raise OrganizationNotFound
    require(ctx, found.role, permission)
    return found


def require(ctx: Context, role: Role, permission: Permission | None) -> None:
    """Refuse (403) a role without the permission, as `roles.py` and authors' modules have it."""
    if permission is not None and permission.name not in ctx.runtime.rights[role]:
        raise Forbidden(permission=permission.name)


def declared(ctx: Context) -> Organizations:
    """What the product says about organizations; one that says nothing has none (404)."""
    if ctx.product.organizations is None:
        raise OrganizationNotFound
    return ctx.product.organizations


def is_billed(ctx: Context) -> bool:
    """Whether organizations hold plans here, and not people."""
    return ctx.product.billed == "organization"
