"""A holder's billing period: set whole or not at all, told in the transaction, a revision higher."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from tenantry.holders import HolderNotFound, PeriodChanged, by_id, open_for_user, set_period, set_plan
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation
from tenantry.testing import AppKit
from tenantry.testing.queries import latest_entries

START, END = datetime(2026, 3, 10, 9, 30, tzinfo=UTC), datetime(2026, 4, 10, 9, 30, tzinfo=UTC)
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))


@pytest.fixture
async def holder(kit: AppKit) -> UUID:
    user = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        return await open_for_user(ctx, user)


async def test_a_period_is_set_and_taken_away_and_the_plan_stays(kit: AppKit, holder: UUID) -> None:
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "pro", source="admin", reason="bought")
    for revision, period in ((3, (START, END)), (4, (START, END + timedelta(days=5))), (5, (None, None))):
        async with kit.system.service() as ctx:
            changed = await set_period(ctx, holder, *period)
        assert (changed.plan, changed.revision, changed.period_start, changed.period_end) == ("pro", revision, *period)
        async with kit.system.service(writes=False) as ctx:
            assert await by_id(ctx.db, holder) == changed
            # Whoever sets it writes down why.
            assert [one.action for one in await latest_entries(ctx.db)] == ["holder.plan_set"]


async def test_who_handles_the_change_does_so_in_its_transaction(kit: AppKit, holder: UUID) -> None:
    told: list[Any] = []

    async def handle(ctx: Any, event: PeriodChanged) -> None:
        found = await by_id(ctx.db, event.holder_id)
        told.append((event.holder_id, event.revision, found and found.period_end))
        raise ZeroDivisionError

    kit.runtime.handlers[PeriodChanged].append(handle)  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        async with kit.system.service() as ctx:
            await set_period(ctx, holder, START, END)
    assert told == [(holder, 2, END)]
    async with kit.system.service(writes=False) as ctx:
        found = await by_id(ctx.db, holder)
    assert found is not None
    assert (found.revision, found.period_start) == (1, None)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [(START, None), (None, END), (END, START), (START, START), (START.replace(tzinfo=None), END.replace(tzinfo=None))],
    ids=["no end", "no start", "backwards", "empty", "no zone"],
)
async def test_half_a_period_is_refused(kit: AppKit, holder: UUID, begins: Any, ends: Any) -> None:
    with pytest.raises(ValueError, match=r"period begins and then ends|without a zone"):
        async with kit.system.service() as ctx:
            await set_period(ctx, holder, begins, ends)


async def test_404_a_holder_that_is_not_there(kit: AppKit) -> None:
    with pytest.raises(HolderNotFound):
        async with kit.system.service() as ctx:
            await set_period(ctx, new_id(), START, END)


@pytest.mark.parametrize(
    "values",
    [{"period_start": START}, {"period_end": END}, {"period_start": END, "period_end": START}],
    ids=["no end", "no start", "backwards"],
)
async def test_the_table_has_no_half_period_either(kit: AppKit, holder: UUID, values: dict[str, Any]) -> None:
    with pytest.raises(CheckViolation):
        async with kit.system.service() as ctx:
            await ctx.db.run(statement(update(Holders).values(**values)))
