"""Demo data: a person with a month behind them, one on the dearest plan, and an operator. Made once.

Where the product has them: an organization of the first two that waits for a third, and credits, some of them spent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from tenantry.holders import by_user, set_plan
from tenantry.holders.organizations import by_organization
from tenantry.identity import register_demo_person
from tenantry.identity.operating import set_role
from tenantry.kernel import Context
from tenantry.kernel.context import Holder
from tenantry.kernel.windows import window_end, window_start
from tenantry.organizations.demo import make_demo_organization
from tenantry.product import Meter
from tenantry.usage import Window, record
from tenantry.usage.credits import balance, grant, spend

DAYS = 30
MONTHS = 6
ORGANIZATION = "Analytical Engines"
GIFT, GIFT_LASTS = 500, timedelta(days=30)
"""Credits that a demo begins with, and for how long."""
SPENT = (5, 20, 5, 5, 40, 5)

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


class People(NamedTuple):
    """The people of a demo. `guest` is not made: an invitation waits for their address."""

    first: DemoPerson
    second: DemoPerson
    guest: DemoPerson
    operator: DemoPerson


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made: nothing, when everything was there."""

    people: int
    windows: int
    organizations: int = 0
    credits: int = 0


async def seed(ctx: Context, people: People) -> Seeded:
    """Make an operator, two people, and the usage of thirty days of each daily meter, six months of each monthly one.

    The first is on the default plan, the second on the dearest one on offer. Both belong to an organization of the
    first one's, which waits for the guest; where organizations hold plans, it has the dearest, usage and credits. What
    is there stays as it is, so that a second run changes nothing. For development only; needs a context without an
    open unit.
    """
    made, windows, users = 0, 0, []
    for person, plan in zip(people[:2], (ctx.product.default.name, _dearest(ctx)), strict=True):
        async with ctx.service() as working:
            user, is_new = await register_demo_person(
                working, subject=person.subject, email=person.email, name=person.name
            )
            made += is_new
            users.append(user)
            if ctx.product.billed == "user":
                windows += await _past_of(working, await by_user(working.db, user), plan if is_new else None)
    organization, is_new = await _organization(ctx, users, people.guest.email)
    async with ctx.service() as working:
        if organization is None or ctx.product.billed == "user":
            holder = await by_user(working.db, users[0])
        else:
            holder = await by_organization(working, organization)
            windows += await _past_of(working, holder, _dearest(ctx) if is_new else None)
    given = await _credits(ctx, holder.id) if ctx.product.credits and holder else 0
    return Seeded(made + await _operator(ctx, people.operator), windows, int(is_new), given)


async def _organization(ctx: Context, users: list[UUID], guest: str) -> tuple[UUID | None, bool]:
    if ctx.product.organizations is None:
        return None, False
    async with ctx.service() as working:
        return await make_demo_organization(working, ORGANIZATION, owner=users[0], members=users[1:], invited=[guest])


async def _credits(ctx: Context, holder: UUID) -> int:
    """Give credits and spend some of them, once; answers how many were left."""
    before = await balance(ctx, holder_id=holder)
    async with ctx.service() as working:
        await grant(working, holder, GIFT, fact="demo", expires_at=GIFT_LASTS, reason="gift")
    if await balance(ctx, holder_id=holder) == before:
        return 0
    for number, amount in enumerate(SPENT, 1):
        await spend(ctx, amount, reference=f"demo:{number}", label="Demo", holder_id=holder)
    return (await balance(ctx, holder_id=holder)).balance - before.balance


async def _operator(ctx: Context, person: DemoPerson) -> bool:
    async with ctx.service() as working:
        user, is_new = await register_demo_person(working, subject=person.subject, email=person.email, name=person.name)
    # Somebody may have made them a person like others since.
    if is_new:
        await set_role(ctx, user, "ADMIN", reason="demo data")
    return is_new


async def _past_of(ctx: Context, holder: Holder | None, plan: str | None) -> int:
    """Put a holder on a plan, unless it is None, and write what they used; answers how many windows are new."""
    if holder is None:
        return 0
    if plan not in {None, holder.plan}:
        holder = await set_plan(ctx, holder.id, plan or holder.plan, source="admin", reason="demo data")
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
