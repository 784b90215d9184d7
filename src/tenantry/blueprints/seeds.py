"""Demo data: a person with a month behind them, one on the dearest plan, and an operator. Made once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from tenantry.holders import by_user, set_plan
from tenantry.identity import register_demo_person
from tenantry.identity.operating import set_role
from tenantry.kernel import Context
from tenantry.kernel.context import Holder
from tenantry.kernel.windows import window_end, window_start
from tenantry.product import Meter
from tenantry.usage import Window, record

DAYS = 30
MONTHS = 6

# How busy each day was, in percent of the limit: two quiet days a week, one day at the limit. The last is today.
_BUSY = (
    *(22, 31, 28, 35, 30, 9, 6),
    *(27, 40, 38, 44, 41, 12, 8),
    *(45, 52, 49, 61, 58, 17, 11),
    *(55, 72, 100, 83, 64, 21, 15),
    *(59, 37),
)
_WITHOUT_LIMIT = 1000


class DemoPerson(Protocol):
    """Somebody the stand-in identity provider knows."""

    @property
    def subject(self) -> str: ...

    @property
    def email(self) -> str: ...

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made: nothing, when everything was there."""

    people: int
    windows: int


async def seed(ctx: Context, people: tuple[DemoPerson, DemoPerson], operator: DemoPerson) -> Seeded:
    """Make an operator, two people, and the usage of thirty days of each daily meter, six months of each monthly one.

    The first is on the default plan, the second on the dearest one on offer. What is there stays as it is, so that a
    second run changes nothing. For development only; needs a context without an open unit.
    """
    made, windows = 0, 0
    for person, plan in zip(people, (ctx.product.default.name, _dearest(ctx)), strict=True):
        async with ctx.service() as working:
            user, is_new = await register_demo_person(
                working, subject=person.subject, email=person.email, name=person.name
            )
            made += is_new
            holder = await _holder(working, user, plan if is_new else None)
            if holder is not None:
                windows += await _usage(working, holder)
    return Seeded(made + await _operator(ctx, operator), windows)


async def _operator(ctx: Context, person: DemoPerson) -> bool:
    async with ctx.service() as working:
        user, is_new = await register_demo_person(working, subject=person.subject, email=person.email, name=person.name)
    # Somebody may have made them a person like others since.
    if is_new:
        await set_role(ctx, user, "ADMIN", reason="demo data")
    return is_new


async def _holder(ctx: Context, user: UUID, plan: str | None) -> Holder | None:
    holder = await by_user(ctx.db, user)
    if holder is None or plan is None or plan == holder.plan:
        return holder
    return await set_plan(ctx, holder.id, plan, source="admin", reason="demo data")


async def _usage(ctx: Context, holder: Holder) -> int:
    written = 0
    for meter in ctx.product.meters:
        quota = ctx.product.limit(holder.plan, meter)
        if quota == 0:
            continue  # The plan does not have this meter.
        for at, percent in _past(meter, ctx.clock.now()):
            used = (quota or _WITHOUT_LIMIT) * percent // 100
            start, end = window_start(meter.per, at), window_end(meter.per, at)
            written += await record(ctx.db, holder, Window(meter.name, start, end, used, quota))
    return written


def _past(meter: Meter, now: datetime) -> Iterator[tuple[datetime, int]]:
    """A moment in each window up to the current one, and how busy it was."""
    at = now
    for number in range(DAYS if meter.per == "day" else MONTHS):
        yield at, _BUSY[-1 - number]
        at = window_start(meter.per, at) - timedelta(hours=1)


def _dearest(ctx: Context) -> str:
    offered = [plan for plan in ctx.product.plans if plan.is_active]
    return (offered or [ctx.product.default])[-1].name
