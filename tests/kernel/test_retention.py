"""What was kept long enough goes, in bounded batches, and is counted."""

from datetime import timedelta

from sqlalchemy import func, insert, select

from tenantry.kernel.attempts import EXPIRED, Attempts
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.retention import BATCH, forget

_add = statement(insert(Attempts).values(key=param("key"), count=1, ends_at=param("ends_at", UtcDateTime())))
_count = statement(select(func.count()).select_from(Attempts))


async def attempts_ending(kit, number, ends_at):
    async with kit.system.service() as ctx:
        for each in range(number):
            await ctx.db.run(_add, key=f"{ends_at} {each}", ends_at=ends_at)


async def test_more_than_a_batch_goes_at_once_and_nothing_else(kit):
    now = kit.clock.now()
    await attempts_ending(kit, BATCH + 7, now - timedelta(seconds=1))
    await attempts_ending(kit, 3, now + timedelta(seconds=1))
    assert await forget(kit.system, EXPIRED, before=now) == BATCH + 7
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(_count) == 3
    assert await forget(kit.system, EXPIRED, before=now) == 0
    assert f'tenantry_rows_forgotten_total{{table="attempts"}} {BATCH + 7}.0' in kit.runtime.metrics.render().decode()
