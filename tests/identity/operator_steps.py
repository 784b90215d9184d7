"""People, and an operator among them, for the tests of what operators do."""

from uuid import UUID

from sqlalchemy import select

from tenantry.identity.operating import ADMINISTER
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.context import Actor, Context, Origin
from tenantry.kernel.database import statement

_entries = statement(
    select(AuditLog.action, AuditLog.actor_kind, AuditLog.actor_id, AuditLog.reason, AuditLog.impersonator_id)
    .where(AuditLog.subject_kind == "user")
    .order_by(AuditLog.id),
    lambda *values: values,
)


async def entries(kit, action):
    """What the audit log has of an action on somebody: kind and id of the actor, reason, operator behind the actor."""
    async with kit.system.service(writes=False) as ctx:
        return [entry[1:] for entry in await ctx.db.rows(_entries) if entry[0] == action]


async def known(kit, *names):
    """These people, signed in, with their ids."""
    found = [await kit.sign_in(name) for name in names]
    return [(one, UUID((await one.get("/v1/me")).json()["id"])) for one in found]


def as_operator(kit, user):
    """What a request of this operator's has."""
    permissions = frozenset({ADMINISTER.name})
    return Context(kit.runtime, Actor("user", user_id=user, permissions=permissions), Origin())
