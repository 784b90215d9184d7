"""Plans are mirrored from the declaration; holders are put on them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select

from tenantry import Google, Meter, Plan, Price, Product
from tenantry.holders import HolderNotFound, PlanUnknown, by_id, by_user, open_for_user, plans, set_plan
from tenantry.holders.models import Holders, Plans
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.context import Actor, Origin
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, ForeignKeyViolation, UniqueViolation
from tenantry.testing import AppKit
from tenantry.testing.queries import latest_entries
from tenantry.usage import decide
from tenantry.usage.models import UsageCounters

requests, exports = Meter("requests", per="day"), Meter("exports", per="month")
FREE = Plan("free", price=0, limits={requests: 5, exports: 2}, features=["Five"])
PRO = Plan("pro", price=Price(900, "EUR"), limits={requests: 50, exports: None})
TEAM = Plan("team", price=None, limits={requests: None, exports: 10}, is_active=False)

_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_remove_user = statement(delete(Users).where(Users.id == param("id")))
_stored = statement(
    select(
        Plans.name, Plans.price_minor, Plans.currency, Plans.limits, Plans.features, Plans.is_active, Plans.position
    ).order_by(Plans.position, Plans.name),
    lambda *row: row,
)
_touched = statement(select(Plans.name, Plans.updated_at), lambda *row: row)
_holders = statement(select(Holders.id))
_counters = statement(select(UsageCounters.used))


def product(*declared: Plan) -> Product:
    return Product("Acme", sign_in=[Google()], plans=list(declared))


async def new_holder(kit: AppKit) -> tuple[UUID, UUID]:
    user = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        return user, await open_for_user(ctx, user)


async def stored(kit: AppKit) -> dict[str, Any]:
    async with kit.system.service(writes=False) as ctx:
        return {row[0]: row[1:] for row in await ctx.db.rows(_stored)}


async def touched(kit: AppKit) -> dict[str, Any]:
    async with kit.system.service(writes=False) as ctx:
        return dict(await ctx.db.rows(_touched))


async def test_plans_are_mirrored_as_declared_and_again_the_same(start: Any) -> None:
    expected = {
        "free": (0, "USD", {"requests": 5, "exports": 2}, ["Five"], True, 0),
        "pro": (900, "EUR", {"requests": 50, "exports": None}, [], True, 1),
        "team": (None, "USD", {"requests": None, "exports": 10}, [], False, 2),
    }
    for _ in range(2):
        kit: AppKit = await start(product(FREE, PRO, TEAM))
        assert await stored(kit) == expected


async def test_a_plan_that_is_no_longer_declared_is_retired_and_comes_back(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO))
    user, holder = await new_holder(kit)
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "pro", source="admin", reason="bought")
    smaller: AppKit = await start(product(FREE))
    # Whoever is on it keeps it, with the default plan's limits.
    assert (await stored(smaller))["pro"][2:5] == ({"requests": 5, "exports": 2}, [], False)
    async with smaller.system.service(writes=False) as ctx:
        found = await by_user(ctx.db, user)
        assert found is not None
        assert found.plan == "pro"
        assert [one.is_active for one in await plans(ctx.db)] == [True, False]
    assert (await decide(smaller.system, holder, requests)).limit == 5
    async with smaller.system.service() as ctx:
        with pytest.raises(PlanUnknown):
            await set_plan(ctx, holder, "pro", source="admin", reason="again")
    back: AppKit = await start(product(FREE, PRO))
    assert (await stored(back))["pro"][2:5] == ({"requests": 50, "exports": None}, [], True)
    assert (await decide(back.system, holder, requests)).limit == 50


async def test_a_start_tells_once_who_is_on_a_plan_that_is_not_declared(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    kit: AppKit = await start(product(FREE, PRO, TEAM))
    for plan in ("pro", "pro", "team"):
        _, holder = await new_holder(kit)
        async with kit.system.service() as ctx:
            await set_plan(ctx, holder, plan, source="admin", reason="bought")
    assert "plans.unknown" not in caplog.text
    await start(product(FREE, TEAM))
    assert caplog.text.count("plans.unknown") == 1
    assert "'holders': {'pro': 2}" in caplog.text
    assert "'limits_of': 'free'" in caplog.text


async def test_a_retired_plan_without_holders_is_not_told(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    await start(product(FREE, PRO))
    await start(product(FREE))
    assert "plans.unknown" not in caplog.text


async def test_a_start_touches_no_row_that_says_it_already(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO, TEAM))
    await start(product(FREE, PRO))
    before = await touched(kit)
    for declared, changed in (((FREE, PRO), set()), ((FREE, replace(PRO, price=1000)), {"pro"})):
        later: AppKit = await start(product(*declared), clock=FrozenClock(kit.clock.now() + timedelta(hours=1)))
        after = await touched(later)
        assert {name for name, at in after.items() if at != before[name]} == changed


async def test_an_inactive_plan_is_kept_by_its_holders_with_its_limits(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO))
    user, holder = await new_holder(kit)
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "pro", source="admin", reason="bought")
    later: AppKit = await start(product(FREE, replace(PRO, is_active=False)))
    async with later.system.service(writes=False) as ctx:
        found = await by_user(ctx.db, user)
        offered = [one.name for one in await plans(ctx.db) if one.is_active]
    assert found is not None
    assert (found.plan, found.revision) == ("pro", 2)
    assert offered == ["free"]
    assert (await decide(later.system, holder, requests)).limit == 50


async def test_a_plan_is_set_with_a_reason_and_a_higher_revision(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO))
    _, holder = await new_holder(kit)
    operator = Context(kit.runtime, Actor("user", user_id=UUID(int=9)), Origin("r-1"))
    for revision, plan in ((2, "pro"), (3, "free"), (4, "free")):
        async with operator.service() as ctx:
            changed = await set_plan(ctx, holder, plan, source="admin", reason=f"because {revision}")
        assert (changed.id, changed.plan, changed.revision) == (holder, plan, revision)
    async with kit.system.service(writes=False) as ctx:
        assert await by_id(ctx.db, holder) == changed
        newest = (await latest_entries(ctx.db, 1))[0]
    assert (newest.action, newest.actor_id, newest.subject_id) == ("holder.plan_set", UUID(int=9), str(holder))
    assert newest.detail == {"plan": "free"}


async def test_404_422_what_cannot_be_set_changes_nothing(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO))
    _, holder = await new_holder(kit)
    cases: list[tuple[type[Exception], UUID, str, str]] = [
        (HolderNotFound, new_id(), "pro", "admin"),
        (PlanUnknown, holder, "gold", "admin"),
        (PlanUnknown, holder, "", "admin"),
        (CheckViolation, holder, "pro", "wish"),
    ]
    for refusal, target, plan, source in cases:
        with pytest.raises(refusal):
            async with kit.system.service() as ctx:
                await set_plan(ctx, target, plan, source=source, reason="x")
    async with kit.system.service(writes=False) as ctx:
        found = await by_id(ctx.db, holder)
        assert found is not None
        assert (found.plan, found.revision) == ("free", 1)
        assert [one.action for one in await latest_entries(ctx.db)].count("holder.plan_set") == 0


async def test_a_user_has_one_holder_and_it_goes_with_them(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO))
    user, holder = await new_holder(kit)
    with pytest.raises(UniqueViolation) as raised:
        async with kit.system.service() as ctx:
            await open_for_user(ctx, user)
    assert raised.value.constraint == "uq_holders_user_id"
    with pytest.raises(ForeignKeyViolation):
        async with kit.system.service() as ctx:
            await open_for_user(ctx, new_id())
    assert (await decide(kit.system, holder, requests)).allowed
    async with kit.system.service() as ctx:
        assert await ctx.db.run(_remove_user, id=user) == 1
        assert await ctx.db.rows(_holders) == []
        assert await ctx.db.rows(_counters) == []


async def test_a_holder_shows_itself_to_its_owner_alone(start: Any) -> None:
    kit: AppKit = await start(product(FREE, PRO))
    (ada, hers), (_, eves) = await new_holder(kit), await new_holder(kit)
    async with Context(kit.runtime, Actor("user", user_id=ada), Origin()).unit(writes=False) as ctx:
        assert await by_id(ctx.db, hers) is not None
        assert await by_id(ctx.db, eves) is None
        assert await ctx.db.rows(_holders) == [hers]
        assert len(await plans(ctx.db)) == 2


@pytest.mark.parametrize("column", ["limits", "features", "currency", "name"])
async def test_what_no_plan_can_be_is_refused_by_the_table(start: Any, column: str) -> None:
    kit: AppKit = await start(product(FREE))
    values = {
        "name": "x", "display_name": "X", "price_minor": 1, "currency": "USD", "limits": {}, "features": [],
        "is_active": True, "position": 1,
    }  # fmt: skip
    wrong: dict[str, Any] = {"limits": None, "features": None, "currency": "EURO", "name": ""}
    with pytest.raises(CheckViolation):
        async with kit.system.service() as ctx:
            await ctx.db.run(statement(insert(Plans).values({**values, column: wrong[column]})))
