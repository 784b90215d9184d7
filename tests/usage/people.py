"""A person with a plan, and a context as a request of theirs has it; no sign-in, which usage does not need."""

from uuid import UUID

from sqlalchemy import insert, select

from tenantry import Meter
from tenantry.holders import by_user, open_for_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Actor
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit
from tenantry.usage import Leases
from tenantry.usage.models import UsageCounters

_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_counter = statement(
    select(UsageCounters.used, UsageCounters.leased, UsageCounters.overrun, UsageCounters.quota)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.meter == param("meter"))
    .order_by(UsageCounters.window_start.desc()),
    lambda *row: row,
)


async def person(kit: AppKit, plan: str) -> Context:
    """Somebody new."""
    user = new_id()
    async with kit.system.service() as working:
        await working.db.run(_add_user, id=user, email=f"{user}@example.com")
        holder = await set_plan(working, await open_for_user(working, user), plan, source="admin", reason="test")
    return Context(kit.runtime, Actor("user", user), kit.system.origin, holder)


async def signed_in(kit: AppKit, user: UUID) -> Context:
    """Somebody who is there already."""
    async with kit.system.service(writes=False) as reading:
        return Context(kit.runtime, Actor("user", user), kit.system.origin, await by_user(reading.db, user))


async def to_plan(ctx: Context, plan: str) -> None:
    """Put them on another plan, which this context does not know of."""
    async with ctx.service() as working:
        await set_plan(working, ctx.holder.id, plan, source="admin", reason="test")


async def counter(ctx: Context, meter: Meter) -> tuple[int, int, int, int | None] | None:
    """Used, leased, overrun and quota of the newest window; None: there is none."""
    await ctx.port(Leases).settle(ctx.holder.id)
    async with ctx.service(writes=False) as reading:
        return await reading.db.one_or_none(_counter, holder=ctx.holder.id, meter=meter.name)
