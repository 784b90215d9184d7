"""One statement, one time: a clock that goes on while SQLite works shows in no row. And nobody waits for ever."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tenantry.kernel.database import statement
from tenantry.kernel.database.failures import DatabaseConflict
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.units import SERVICE
from tenantry.kernel.sql import now, plus

both = statement(select(now().label("one"), plus(now(), 0).label("other")), lambda one, other: (one, other))
apart = statement(select(now().label("one"), plus(now(), 0).label("other")), lambda one, other: (one, other), slow=True)


class HurryingClock:
    """A second later each time it is asked."""

    def __init__(self):
        self.at = datetime(2026, 3, 14, 23, 59, 58, tzinfo=UTC)

    def now(self):
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
async def file(tmp_path):
    database = SqliteDatabase(tmp_path / "time.db", HurryingClock(), patience_seconds=0.1)
    await database.open()
    yield database
    await database.close()


@pytest.mark.parametrize("question", [both, apart], ids=["in the loop", "in a thread"])
async def test_a_statement_knows_one_time(file, question):
    unit = file.unit(SERVICE, writes=False)
    first = await unit.one(question)
    second = await unit.one(question)
    assert first[0] == first[1]
    assert second[0] == second[1] > first[0]


async def test_503_a_turn_that_does_not_come(file):
    holder, waiting = file.unit(SERVICE, writes=True), file.unit(SERVICE, writes=True)
    await asyncio.create_task(holder.one(both))
    with pytest.raises(DatabaseConflict):
        await asyncio.create_task(waiting.one(both))
    await holder.rollback()
    await asyncio.create_task(waiting.one(both))
    await waiting.rollback()
