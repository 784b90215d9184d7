"""What the database itself refuses of a counter, whatever the application thinks."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from tenantry.holders.models import Holders
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, UniqueViolation
from tenantry.usage.models import UsageCounters

NAMES = ("holder_id", "meter", "window_start", "window_end", "quota", "used", "leased", "holder_revision")
add = statement(insert(UsageCounters).values({name: param(name) for name in NAMES}))
a_holder = statement(select(Holders.id))
DAY = timedelta(days=1)


async def write(kit, **changed) -> None:
    now = kit.clock.now()
    row = {"meter": "requests", "window_start": now, "window_end": now + DAY, "quota": 5, "used": 5, "leased": 0}
    async with kit.system.service() as ctx:
        await ctx.db.run(add, **{**row, "holder_id": await ctx.db.one(a_holder), "holder_revision": 1, **changed})


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"used": 6}, "within_quota"),
        ({"used": 4, "leased": 2}, "within_quota"),
        ({"used": -1}, "units_counted"),
        ({"leased": -1}, "units_counted"),
        ({"quota": 0, "used": 0}, "quota_counted"),
        ({"meter": ""}, "meter_length"),
        ({"used": None}, "used"),
    ],
)
async def test_a_count_that_cannot_be_is_refused_by_the_database(kit, changed, constraint):
    await kit.sign_in("ada")
    with pytest.raises(CheckViolation, match=constraint):
        await write(kit, **changed)


async def test_a_window_ends_after_it_begins(kit):
    await kit.sign_in("ada")
    with pytest.raises(CheckViolation, match="window_forward"):
        await write(kit, window_end=kit.clock.now())


async def test_a_window_is_counted_once(kit):
    await kit.sign_in("ada")
    await write(kit)
    with pytest.raises(UniqueViolation, match="pk_usage_counters"):
        await write(kit, used=1)


async def test_a_plan_without_limit_has_no_quota(kit):
    await kit.sign_in("ada")
    await write(kit, quota=None, used=1_000_000)
