"""What billing writes about a holder, and what is in force of it by the time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import (
    HolderNotFound,
    PeriodChanged,
    PlanChanged,
    by_id,
    by_user,
    open_for_user,
    set_period,
    set_plan,
)
from tenantry.holders.billed import Billed, set_billed
from tenantry.holders.models import Holders, plan_now
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, ForeignKeyViolation
from tenantry.testing import AppKit

requests = Meter("requests")
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan(name, price=n, limits={requests: n + 1}) for n, name in enumerate(["free", "pro", "team"])],
)
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_written = statement(
    select(
        Holders.plan,
        Holders.plan_source,
        Holders.plan_until,
        Holders.plan_after,
        Holders.granted_plan,
        Holders.revision,
    ).where(Holders.id == param("holder")),
    lambda *row: row,
)
_on_plan = statement(select(Holders.id).where(plan_now() == param("name")))
_end = statement(update(Holders).where(Holders.id == param("holder")).values(plan_until=param("until")))


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(PRODUCT)
    return started


@pytest.fixture
async def user(kit: AppKit) -> UUID:
    found = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=found, email="ada@example.com")
        await open_for_user(ctx, found)
    return found


@pytest.fixture
async def holder(kit: AppKit, user: UUID) -> UUID:
    async with kit.system.service(writes=False) as ctx:
        found = await by_user(ctx.db, user)
    assert found is not None
    return found.id


async def bill(kit: AppKit, holder: UUID, billed: Billed) -> Any:
    async with kit.system.service() as ctx:
        return await set_billed(ctx, holder, billed)


async def written(kit: AppKit, holder: UUID) -> Any:
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_written, holder=holder)


async def test_plan_end_and_period_are_written_at_once_and_told(kit: AppKit, holder: UUID) -> None:
    told: list[Any] = []

    async def handle(_ctx: Any, event: Any) -> None:
        told.append(event)

    for kind in (PlanChanged, PeriodChanged):
        kit.runtime.handlers[kind].append(handle)  # type: ignore[attr-defined]
    until = kit.clock.now() + timedelta(days=3)
    found = await bill(kit, holder, Billed("team", "billing", until, "pro", START, END))
    assert (found.plan, found.revision, found.period_start, found.period_end) == ("team", 2, START, END)
    assert await written(kit, holder) == ("team", "billing", until, "pro", None, 2)
    assert told == [PlanChanged(holder, "team", 2), PeriodChanged(holder, 2)]
    # What has ended by the time it is written is told as it is.
    told.clear()
    found = await bill(kit, holder, Billed("team", "billing", kit.clock.now(), "pro"))
    assert (found.plan, found.revision, found.period_start, found.period_end) == ("pro", 3, None, None)
    assert told == [PlanChanged(holder, "pro", 3), PeriodChanged(holder, 3)]


async def test_every_read_tells_the_plan_in_force(kit: AppKit, user: UUID, holder: UUID) -> None:
    until = kit.clock.now() + timedelta(minutes=1)
    await bill(kit, holder, Billed("team", "billing", until, "free"))
    for moment, plan in ((until - timedelta(microseconds=1), "team"), (until, "free"), (until + timedelta(9), "free")):
        await kit.set_time(moment)
        async with kit.system.service(writes=False) as ctx:
            found = [await by_id(ctx.db, holder), await by_user(ctx.db, user)]
            assert [one and one.plan for one in found] == [plan, plan]
            assert await ctx.db.rows(_on_plan, name=plan) == [holder]
        async with kit.system.service() as ctx:
            assert (await set_period(ctx, holder, START, END)).plan == plan
    assert (await written(kit, holder))[0] == "team"


async def test_a_plan_by_hand_clears_the_end(kit: AppKit, holder: UUID) -> None:
    until = kit.clock.now() + timedelta(minutes=1)
    for plan, granted in (("pro", "pro"), ("free", None)):
        await bill(kit, holder, Billed("team", "billing", until, "free"))
        async with kit.system.service() as ctx:
            assert (await set_plan(ctx, holder, plan, source="admin", reason="a gift")).plan == plan
        assert (await written(kit, holder))[:5] == (plan, "admin", None, None, granted)
    await kit.move(minutes=2)
    async with kit.system.service(writes=False) as ctx:
        found = await by_id(ctx.db, holder)
    assert found is not None
    assert found.plan == "free"


async def test_what_was_given_by_hand_stays_written(kit: AppKit, holder: UUID) -> None:
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "pro", source="admin", reason="a gift")
    await bill(kit, holder, Billed("team", "billing", END, "pro"))
    assert (await written(kit, holder))[4] == "pro"


async def test_nonsense_is_not_written(kit: AppKit, holder: UUID) -> None:
    refused: list[tuple[Billed, type[Exception]]] = [
        (Billed("nothing", "billing"), ForeignKeyViolation),
        (Billed("pro", "billing", END, "nothing"), ForeignKeyViolation),
        (Billed("pro", "billing", END), CheckViolation),
        (Billed("pro", "billing", None, "free"), CheckViolation),
        (Billed("pro", "a friend"), CheckViolation),
        (Billed("pro", "billing", period_start=END, period_end=START), CheckViolation),
    ]
    for billed, problem in refused:
        with pytest.raises(problem):
            await bill(kit, holder, billed)
    with pytest.raises(CheckViolation):
        async with kit.system.service() as ctx:
            await ctx.db.run(_end, holder=holder, until=END)
    with pytest.raises(HolderNotFound):
        await bill(kit, uuid4(), Billed("pro", "billing"))
    assert await written(kit, holder) == ("free", "default", None, None, None, 1)
