"""Admission: exact under any number of callers, and nothing is counted for a refused call."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import insert, select, update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import by_id, open_for_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit
from tenantry.usage import Leases, QuotaExceeded, consume, decide
from tenantry.usage.models import UsageCounters
from tenantry.usage.queries.counters import windows

daily, monthly = Meter("requests", per="day"), Meter("exports", per="month")
PLANS = [
    Plan("small", price=0, limits={daily: 10, monthly: 3}),
    Plan("large", price=900, limits={daily: 1000, monthly: 30}),
    Plan("unlimited", price=9000, limits={daily: None, monthly: None}),
]
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))
_fill = statement(update(UsageCounters).where(UsageCounters.holder_id == param("holder")).values(used=param("units")))
_used = statement(select(UsageCounters.used).where(UsageCounters.holder_id == param("holder")))


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(Product("Acme", sign_in=[Google()], plans=PLANS), pool_size=10)
    return started


async def new_holder(kit: AppKit, plan: str = "small") -> UUID:
    user = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        holder = await open_for_user(ctx, user)
        if plan != "small":
            await set_plan(ctx, holder, plan, source="admin", reason="test")
    return holder


async def used(kit: AppKit, holder: UUID) -> int:
    await kit.runtime.port(Leases).settle(holder)
    async with kit.system.service(writes=False) as ctx:
        return sum(await ctx.db.rows(_used, holder=holder))


async def test_64_callers_get_exactly_the_quota(kit: AppKit) -> None:
    holder = await new_holder(kit, "large")

    async def call(_: int) -> int:
        return sum([(await decide(kit.system, holder, daily)).allowed for _ in range(17)])

    assert sum(await asyncio.gather(*map(call, range(64)))) == 1000
    assert await used(kit, holder) == 1000


CALLER = """
import asyncio, sys
from datetime import datetime
from uuid import UUID
from tenantry import Google, Meter, Plan, Product, Settings, create_app
from tenantry.kernel.clock import Clock, FrozenClock
from tenantry.kernel.context import system_context
from tenantry.usage import decide

requests = Meter("requests", per="day")
product = Product("Acme", sign_in=[Google()], plans=[
    Plan("small", price=0, limits={requests: 10}), Plan("large", price=900, limits={requests: 1000})])

async def main(api, service, holder, now):
    settings = Settings(database_url=api, service_url=service or None, secret_keys=("k" * 40,))
    app = create_app(product, settings, worker=False, log_requests=False, ports={Clock: FrozenClock(now)})
    async with app.router.lifespan_context(app):
        ctx = system_context(app.state.runtime)
        print("ready", flush=True)
        sys.stdin.readline()

        async def call():
            admitted = 0
            for _ in range(20):
                while True:
                    decision = await decide(ctx, holder, requests)
                    if decision.allowed or not decision.soon:
                        break
                    await asyncio.sleep(0.05)
                admitted += decision.allowed
            return admitted

        admitted = sum(await asyncio.gather(*(call() for _ in range(16))))
    print(admitted, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], UUID(sys.argv[3]), datetime.fromisoformat(sys.argv[4])))
"""


async def test_4_processes_of_16_callers_get_exactly_the_quota(kit: AppKit) -> None:
    holder = await new_holder(kit, "large")
    urls = [kit.database.api_url, kit.database.service_url or ""]
    command = [sys.executable, "-c", CALLER, *urls, str(holder), kit.clock.now().isoformat()]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = await asyncio.gather(*(asyncio.to_thread(process.communicate, timeout=60) for process in processes))
    assert [errors for _, errors in ended] == [""] * 4
    assert sum(int(told) for told, _ in ended) == 1000
    assert await used(kit, holder) == 1000


many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@many
@given(costs=st.lists(st.integers(1, 12), max_size=12))
async def test_every_call_is_admitted_if_it_fits_and_else_changes_nothing(kit: AppKit, costs: list[int]) -> None:
    holder, model = await new_holder(kit), 0
    for cost in costs:
        decision = await decide(kit.system, holder, daily, cost)
        assert decision.allowed is (model + cost <= 10)
        model += cost if decision.allowed else 0
        assert (decision.used, decision.limit, decision.remaining) == (model, 10, 10 - model)
        assert await used(kit, holder) == model


async def test_429_a_refusal_says_how_one_stands_and_counts_nothing(kit: AppKit) -> None:
    holder = await new_holder(kit)
    found = await as_holder(kit, holder)
    assert (await consume(found, daily, 9)).remaining == 1
    with pytest.raises(QuotaExceeded) as raised:
        await consume(found, daily, 2)
    assert raised.value.extra["used"] == 9
    assert raised.value.extra["remaining"] == 1
    assert (await consume(found, daily, 1)).remaining == 0
    for cost in (1, 11, 10**12):
        with pytest.raises(QuotaExceeded):
            await consume(found, daily, cost)
    assert await used(kit, holder) == 10


async def as_holder(kit: AppKit, holder: UUID) -> Context:
    async with kit.system.service(writes=False) as ctx:
        return replace(kit.system, current_holder=await by_id(ctx.db, holder))


async def test_a_cost_above_the_whole_quota_is_refused_from_the_first_call_on(kit: AppKit) -> None:
    holder = await new_holder(kit)
    decision = await decide(kit.system, holder, daily, 11)
    assert (decision.allowed, decision.used, decision.remaining, decision.limit) == (False, 0, 10, 10)
    async with kit.system.service(writes=False) as ctx:
        assert await windows(ctx.db, holder) == []


async def test_no_limit_admits_as_much_as_a_number_can_count(kit: AppKit) -> None:
    holder, other = await new_holder(kit, "unlimited"), await new_holder(kit)
    decision = await decide(kit.system, holder, daily, 10**12)
    assert (decision.allowed, decision.limit, decision.remaining) == (True, None, None)
    assert await used(kit, holder) == 10**12
    async with kit.system.service() as ctx:
        await ctx.db.run(_fill, holder=holder, units=2**62 - 5)
    await kit.move(seconds=2)
    # One statement asks for both: what cannot be counted any more must not take the other down.
    full, fits = await asyncio.gather(decide(kit.system, holder, daily, 6), decide(kit.system, other, daily))
    assert (full.allowed, fits.allowed) == (False, True)
    assert (await decide(kit.system, holder, daily, 5)).allowed


@pytest.mark.parametrize("cost", [0, -1, 10**12 + 1, 1.5])
async def test_a_call_costs_one_or_more(kit: AppKit, cost: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000000000000 units"):
        await decide(kit.system, await new_holder(kit), daily, cost)


async def test_a_holder_that_is_not_there(kit: AppKit) -> None:
    with pytest.raises(LookupError):
        await decide(kit.system, new_id(), daily)


async def test_meters_and_holders_do_not_touch_each_other(kit: AppKit) -> None:
    first, second = await new_holder(kit), await new_holder(kit)
    assert (await decide(kit.system, first, daily, 10)).allowed
    assert (await decide(kit.system, first, monthly, 3)).allowed
    assert (await decide(kit.system, second, daily, 10)).allowed
    assert not (await decide(kit.system, first, daily)).allowed
    assert not (await decide(kit.system, first, monthly)).allowed
    assert (await decide(kit.system, second, monthly)).allowed


BOUNDARIES = [
    ("2026-03-14T23:59:59.999999", daily, "2026-03-15T00:00:00"),
    ("2026-12-31T23:59:59.999999", daily, "2027-01-01T00:00:00"),
    ("2028-02-28T23:59:59.999999", daily, "2028-02-29T00:00:00"),
    ("2028-02-29T12:00:00", daily, "2028-03-01T00:00:00"),
    ("2026-12-31T23:59:59.999999", monthly, "2027-01-01T00:00:00"),
    ("2026-01-31T12:00:00", monthly, "2026-02-01T00:00:00"),
    ("2026-02-28T23:59:59", monthly, "2026-03-01T00:00:00"),
    ("2028-02-28T23:59:59", monthly, "2028-03-01T00:00:00"),
    ("2028-02-29T23:59:59", monthly, "2028-03-01T00:00:00"),
    ("2026-03-29T01:30:00", daily, "2026-03-30T00:00:00"),  # the night in which Europe changes its clocks
]


async def test_a_window_ends_at_utc_midnight_and_the_next_begins(kit: AppKit, subtests: pytest.Subtests) -> None:
    for now, meter, end in BOUNDARIES:
        with subtests.test(f"{meter.name} at {now}"):
            await check_boundary(kit, meter, *(datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (now, end)))


async def check_boundary(kit: AppKit, meter: Meter, now: datetime, end: datetime) -> None:
    holder, quota = await new_holder(kit), 10 if meter is daily else 3
    await kit.set_time(now)
    decision = await decide(kit.system, holder, meter, quota)
    assert (decision.allowed, decision.reset_at) == (True, end)
    await kit.set_time(end - timedelta(microseconds=1))
    assert not (await decide(kit.system, holder, meter)).allowed
    await kit.set_time(end)
    again = await decide(kit.system, holder, meter)
    assert (again.allowed, again.used) == (True, 1)
    async with kit.system.service(writes=False) as ctx:
        first, second = await windows(ctx.db, holder)
    assert (first.window_end, second.window_start) == (end, end)
    assert (first.used, second.used) == (quota, 1)
