"""A meter per month counts in the holder's billing period, whatever becomes of that while calls are made."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders import open_for_user, set_period, set_plan
from tenantry.holders.models import Holders
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.windows import window_end, window_start
from tenantry.usage import Leases, decide
from tenantry.usage.held import LEASE_SECONDS
from tenantry.usage.models import UsageCounters
from tenantry.usage.queries.counters import standing, standings

tokens, exact, daily = Meter("tokens", per="month"), Meter("exact", per="month", strict=True), Meter("calls")
LIMITS = {"small": 20, "large": 1000, "huge": 10**6}
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan(name, price=number, limits={tokens: limit, exact: limit, daily: limit})
        for number, (name, limit) in enumerate(LIMITS.items())
    ],
)
_rows = statement(
    select(UsageCounters.window_start, UsageCounters.window_end, UsageCounters.used, UsageCounters.leased)
    .where(UsageCounters.holder_id == param("holder"), UsageCounters.meter == param("meter"))
    .order_by(UsageCounters.window_start),
    lambda *row: row,
)
_write_period = statement(
    update(Holders)
    .where(Holders.id == param("holder"))
    .values(period_start=param("start"), period_end=param("end"), revision=Holders.revision + 1)
)

_write_end = statement(
    update(UsageCounters).where(UsageCounters.holder_id == param("holder")).values(window_end=param("end"))
)


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MARCH, APRIL = day("2026-03-01"), day("2026-04-01")


@pytest.fixture
async def kit(start):
    return await start(PRODUCT)


@pytest.fixture
async def new_holder(kit, add_user):
    async def new(plan="small"):
        user = new_id()
        async with kit.system.service() as ctx:
            await add_user(ctx, user)
            holder = await open_for_user(ctx, user)
            await set_plan(ctx, holder, plan, source="admin", reason="test")
        return holder

    return new


async def to_period(kit, holder, start=None, end=None):
    async with kit.system.service() as ctx:
        return await set_period(ctx, holder, start, end)


async def to_plan(kit, holder, plan):
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, plan, source="admin", reason="test")


async def calls(kit, holder, number, meter=tokens):
    return [await decide(kit.system, holder, meter) for _ in range(number)]


async def rows(kit, holder, meter=tokens):
    """Each window's beginning, end, used and leased units, once everybody has said what they spent."""
    await kit.runtime.port(Leases).settle(holder)
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_rows, holder=holder, meter=meter.name)


def told(decision):
    return decision.allowed, decision.used, decision.reset_at, decision.window_seconds


async def test_a_month_is_the_period_and_a_day_stays_a_day(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    start, end = now - timedelta(days=4, hours=3), now + timedelta(days=20)
    await to_period(kit, holder, start, end)
    [decision] = await calls(kit, holder, 1)
    assert told(decision) == (True, 1, end, (end - start).total_seconds())
    [decision] = await calls(kit, holder, 1, daily)
    assert told(decision) == (True, 1, day("2026-03-15"), 86_400)
    assert await rows(kit, holder) == [(start, end, 1, 0)]
    async with kit.system.service(writes=False) as ctx:
        each = {meter: await standing(ctx.db, holder, meter.name, per=meter.per) for meter in PRODUCT.meters}
        assert await standings(ctx.db, holder, PRODUCT.meters) == each
    assert [(one.window_start, one.window_end, one.used) for one in (each[tokens], each[daily])] == [
        (start, end, 1),
        (day("2026-03-14"), day("2026-03-15"), 1),
    ]


async def test_a_refusal_says_when_the_period_ends(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    await to_period(kit, holder, now, now + timedelta(days=30))
    assert (await decide(kit.system, holder, tokens, 20)).allowed
    for _ in range(2):
        refused = await decide(kit.system, holder, tokens)
        assert told(refused) == (False, 20, now + timedelta(days=30), 30 * 86_400)
        assert refused.waiting_helps
    await kit.set_time(now + timedelta(days=30))
    assert (await decide(kit.system, holder, tokens)).used == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_a_period_that_begins_in_the_middle_of_a_lease(kit, new_holder, start, elsewhere):
    other = await start(PRODUCT)
    holder = await new_holder("huge")
    assert all(one.allowed for one in await calls(kit, holder, 100))
    now = kit.clock.now()
    await to_period(other if elsewhere else kit, holder, now, now + timedelta(days=31))
    old, new = [APRIL] * 100, []
    if elsewhere:
        # What this process holds it may spend in the old window, for a second.
        [decision] = await calls(kit, holder, 1)
        (old if decision.reset_at == APRIL else new).append(decision.reset_at)
        await kit.move(seconds=LEASE_SECONDS)
    for decision in await calls(kit, holder, 2):
        new.append(decision.reset_at)
        assert told(decision) == (True, len(new), now + timedelta(days=31), 31 * 86_400)
    assert await rows(kit, holder) == [(MARCH, now, len(old), 0), (now, now + timedelta(days=31), len(new), 0)]


async def test_a_refusal_is_not_remembered_into_a_new_period(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    await decide(kit.system, holder, tokens, 20)
    assert not (await decide(kit.system, holder, tokens)).allowed
    await to_period(kit, holder, now, now + timedelta(days=30))
    assert (await decide(kit.system, holder, tokens)).used == 1


async def test_an_end_that_moves_keeps_the_window_and_its_count(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    for days in (31, 7, 30):
        await to_period(kit, holder, now, now + timedelta(days=days))
        [decision] = await calls(kit, holder, 1)
        assert decision.reset_at == now + timedelta(days=days)
    assert await rows(kit, holder) == [(now, now + timedelta(days=30), 3, 0)]


async def test_a_period_that_begins_later_ends_the_calendars_month_then(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    begins, ends = now + timedelta(days=2), now + timedelta(days=32)
    await calls(kit, holder, 1)
    await to_period(kit, holder, begins, ends)
    assert await rows(kit, holder) == [(MARCH, begins, 1, 0)]
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (2, begins)
    await kit.set_time(begins)
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (1, ends)


async def test_a_period_that_began_before_the_window_ends_it_now(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    begins, ends = day("2026-02-20"), day("2026-03-20")
    await calls(kit, holder, 3)
    await to_period(kit, holder, begins, ends)
    [decision] = await calls(kit, holder, 1)
    assert told(decision) == (True, 1, ends, 28 * 86_400)
    assert await rows(kit, holder) == [(begins, ends, 1, 0), (MARCH, now, 3, 0)]


async def test_a_period_that_is_taken_away_leads_back_to_the_month(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    await calls(kit, holder, 3)
    await to_period(kit, holder, now, now + timedelta(days=30))
    await calls(kit, holder, 2)
    later = await kit.move(hours=1)
    await to_period(kit, holder)
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (4, APRIL)
    assert await rows(kit, holder) == [(MARCH, APRIL, 4, 0), (now, later, 2, 0)]


async def test_a_renewal_that_is_told_late_goes_on_in_the_same_row(kit, new_holder):
    holder = await new_holder()
    await to_period(kit, holder, day("2026-02-28"), day("2026-03-31"))
    await calls(kit, holder, 5)
    await kit.set_time(day("2026-03-31T00:00:01"))
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (1, day("2026-04-30"))
    await kit.set_time(day("2026-04-02"))
    # Told two days late, and in another length than was thought.
    await to_period(kit, holder, day("2026-03-31"), day("2026-04-29"))
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (2, day("2026-04-29"))
    assert [row[2] for row in await rows(kit, holder)] == [5, 2]


async def test_a_year_is_counted_by_the_month(kit, new_holder):
    holder = await new_holder()
    await to_period(kit, holder, day("2025-08-31T08:00"), day("2026-08-31T08:00"))
    edges = [day(f"2026-{one}T08:00") for one in ("02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31")]
    for start, end in pairwise(edges):
        await kit.set_time(max(start, kit.clock.now()))
        assert (await decide(kit.system, holder, tokens, 20)).reset_at == end
        await kit.set_time(end - timedelta(microseconds=1))
        assert not (await decide(kit.system, holder, tokens)).allowed
    assert [row[:3] for row in await rows(kit, holder)] == [(start, end, 20) for start, end in pairwise(edges)]


async def test_plan_and_period_change_together(kit, new_holder):
    holder, now = await new_holder(), kit.clock.now()
    await decide(kit.system, holder, tokens, 15)
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "large", source="admin", reason="bought")
        await set_period(ctx, holder, now, now + timedelta(days=30))
    decision = await decide(kit.system, holder, tokens, 900)
    assert (decision.allowed, decision.limit, decision.used) == (True, 1000, 900)
    await to_plan(kit, holder, "small")
    refused = await decide(kit.system, holder, tokens)
    assert (refused.allowed, refused.limit, refused.remaining) == (False, 900, 0)
    assert [row[2] for row in await rows(kit, holder)] == [15, 900]


async def test_a_call_that_waits_behind_a_new_period_counts_in_it(kit, new_holder):
    """It has read the old period already when the new one is committed."""
    holder, now, changing = await new_holder(), kit.clock.now(), asyncio.Event()
    await calls(kit, holder, 5)

    async def call():
        await changing.wait()
        return await decide(kit.system, holder, tokens)

    waiting = asyncio.create_task(call())
    async with kit.system.service() as ctx:
        await set_period(ctx, holder, now, now + timedelta(days=30))
        changing.set()
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    assert told(await waiting)[1:3] == (1, now + timedelta(days=30))
    assert await rows(kit, holder) == [(MARCH, now, 5, 0), (now, now + timedelta(days=30), 1, 0)]


async def test_units_that_are_held_when_the_window_changes_go_back_to_their_own_row(kit, new_holder, start):
    """More is asked for, units are left, and the period changes before the statement is there."""
    other, holder, now = await start(PRODUCT), await new_holder("huge"), kit.clock.now()
    leases = kit.runtime.port(Leases)
    while not (held := leases._held.get((holder.int, "tokens"))) or held.left < 10 or held.asking:
        await calls(kit, holder, 20)
        await asyncio.sleep(0.01)
    spent = held.known.used + held.spent
    leases._system = Interrupted.of(kit.system, lambda: to_period(other, holder, now, now + timedelta(days=30)))
    many = held.left + 1
    decision = await decide(kit.system, holder, tokens, many)
    assert told(decision)[1:3] == (many, now + timedelta(days=30))
    leases._system = kit.system
    before, after = await rows(kit, holder)
    assert before[:2] == (MARCH, now)
    assert before[3] == after[3] == 0
    assert (before[2], after[2]) == (spent, many)


async def test_a_period_that_nobody_told_of_is_seen_by_the_next_exchange(kit, new_holder):
    holder, now = await new_holder("huge"), kit.clock.now()
    await calls(kit, holder, 100)
    async with kit.system.service() as ctx:
        await ctx.db.run(_write_period, holder=holder, start=now, end=now + timedelta(days=30))
    await kit.move(seconds=LEASE_SECONDS)
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (1, now + timedelta(days=30))
    assert [row[2:] for row in await rows(kit, holder)] == [(100, 0), (1, 0)]


async def test_an_end_that_is_not_the_windows_is_mended_by_who_sees_it(kit, new_holder):
    """As when a meter is counted by the month since today, the first, and by the day before."""
    holder, now = await new_holder("huge"), kit.clock.now()
    await calls(kit, holder, 100)
    for wrong in (now - timedelta(days=1), now + timedelta(hours=1), now + timedelta(days=300)):
        async with kit.system.service() as ctx:
            await ctx.db.run(_write_end, holder=holder, end=wrong)
        await kit.move(seconds=LEASE_SECONDS)
        [decision] = await calls(kit, holder, 1)
        assert decision.reset_at == APRIL
    assert await rows(kit, holder) == [(MARCH, APRIL, 103, 0)]


async def test_the_first_call_waits_behind_a_new_period(kit, new_holder):
    holder, now, changing = await new_holder(), kit.clock.now(), asyncio.Event()

    async def call():
        await changing.wait()
        return await decide(kit.system, holder, tokens, 15)

    waiting = asyncio.create_task(call())
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, "large", source="admin", reason="bought")
        await set_period(ctx, holder, now, now + timedelta(days=30))
        changing.set()
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    decision = await waiting
    assert told(decision)[1:3] == (15, now + timedelta(days=30))
    assert decision.limit == 1000
    assert await rows(kit, holder) == [(now, now + timedelta(days=30), 15, 0)]


async def test_midnight_in_the_middle_of_a_lease(kit, new_holder):
    holder = await new_holder("huge")
    await kit.set_time(day("2026-03-31T23:59:59.5"))
    await calls(kit, holder, 100)
    await calls(kit, holder, 100, daily)
    await kit.set_time(APRIL)
    for meter, ends in ((tokens, day("2026-05-01")), (daily, day("2026-04-02"))):
        [decision] = await calls(kit, holder, 1, meter)
        assert (decision.used, decision.reset_at) == (1, ends)
        assert [row[2:] for row in await rows(kit, holder, meter)] == [(100, 0), (1, 0)]


async def test_midnight_between_making_a_row_and_taking_units_of_it(kit, new_holder):
    holder = await new_holder()
    await kit.set_time(day("2026-03-31T23:59:59.9"))
    # It asks, makes the row that was not there, and asks again.
    kit.runtime.port(Leases)._system = Interrupted.of(kit.system, lambda: kit.set_time(APRIL), later=2)
    decision = await decide(kit.system, holder, tokens)
    assert (decision.allowed, decision.used, decision.reset_at) == (True, 1, day("2026-05-01"))


async def test_what_was_granted_before_a_change_and_arrives_after_it_is_not_spent(kit, new_holder):
    holder, now = await new_holder("huge"), kit.clock.now()
    leases = kit.runtime.port(Leases)
    await calls(kit, holder, 60)
    await kit.move(seconds=LEASE_SECONDS)
    # Its answer is on its way back while the period changes.
    leases._system = Slow.of(kit.system, until := asyncio.Event())
    waiting = [asyncio.create_task(decide(kit.system, holder, tokens)) for _ in range(30)]
    await asyncio.sleep(0.1)
    await to_period(kit, holder, now, now + timedelta(days=30))
    until.set()
    assert {one.reset_at for one in await asyncio.gather(*waiting)} == {APRIL}
    leases._system = kit.system
    [decision] = await calls(kit, holder, 1)
    assert (decision.used, decision.reset_at) == (1, now + timedelta(days=30))


async def test_two_processes_and_a_period_that_changes_while_both_count(kit, new_holder, start):
    other, holder, now = await start(PRODUCT), await new_holder("large"), kit.clock.now()
    changed = asyncio.Event()

    async def caller(one):
        found = []
        while not changed.is_set() or len(found) < 60:
            decision = await decide(one.system, holder, tokens)
            found += [decision.reset_at] if decision.allowed else []
            await asyncio.sleep(0.002)
        return found

    async def change():
        for days in (10, 20, 30):
            await asyncio.sleep(0.05)
            await to_period(kit, holder, now - timedelta(days=days), now + timedelta(days=days - 9))
        changed.set()

    *admitted, _ = await asyncio.gather(*(caller(one) for one in (kit, other) for _ in range(4)), change())
    ends = [end for found in admitted for end in found]
    await other.runtime.port(Leases).settle()
    found = await rows(kit, holder)
    assert sum(used for _, _, used, _ in found) == len(ends)
    assert all(used <= 1000 and not leased for _, _, used, leased in found)
    assert set(ends) <= {APRIL, *(now + timedelta(days=days - 9) for days in (10, 20, 30))}


step = st.one_of(
    st.tuples(st.just("call"), st.integers(1, 12)),
    st.tuples(st.just("move"), st.sampled_from([0.5, 1.0, 40_000.0, 86_400.0, 86_400.0 * 20])),
    st.tuples(st.just("plan"), st.sampled_from(["small", "large"])),
    st.tuples(st.just("period"), st.tuples(st.integers(-40, 3), st.sampled_from([1, 30, 31, 45, 90, 365]))),
    st.tuples(st.just("none"), st.just(0)),
)
few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@few
@given(steps=st.lists(step, max_size=16))
async def test_every_call_is_counted_in_the_window_that_the_rules_say(kit, new_holder, steps):
    holder, plan, period, counted = await new_holder(), "small", (), {}
    for kind, value in steps:
        now = kit.clock.now()
        if kind == "move":
            await kit.move(seconds=value)
        elif kind == "plan":
            plan = value
            await to_plan(kit, holder, plan)
        elif kind == "call":
            start = window_start("month", now, *period)
            free = LIMITS[plan] - counted.get(start, 0)
            decision = await decide(kit.system, holder, exact, value)
            assert decision.allowed is (value <= free)
            counted[start] = counted.get(start, 0) + (value if decision.allowed else 0)
            assert (decision.used, decision.remaining) == (counted[start], max(0, LIMITS[plan] - counted[start]))
            assert decision.reset_at == window_end("month", now, *period)
        else:
            begins = now + timedelta(days=value[0]) if kind == "period" else None
            period = (begins, begins + timedelta(days=value[1])) if begins else ()
            await to_period(kit, holder, *period)
            # Time goes on: no window is over in the moment in which it began.
            await kit.move(seconds=1)
    found = await rows(kit, holder, exact)
    # A window that was only asked about may have an empty row.
    assert {start: used for start, _, used, _ in found if used} == {
        start: used for start, used in counted.items() if used
    }
    now = kit.clock.now()
    assert all(end <= now or start == window_start("month", now, *period) for start, end, _, _ in found)


class Interrupted(Context, dict=True):
    """Something happens before one of the units is opened: the first, or that many later."""

    @classmethod
    def of(cls, system, happens, *, later=0):
        made = cls(system.runtime, system.actor, system.origin)
        vars(made).update(happens=happens, later=later)
        return made

    @asynccontextmanager
    async def service(self, **how):
        vars(self)["later"] -= 1
        if self.later == -1:
            await self.happens()
        async with super().service(**how) as working:
            yield working


class Slow(Context, dict=True):
    """An answer waits on its way back."""

    @classmethod
    def of(cls, system, until):
        made = cls(system.runtime, system.actor, system.origin)
        vars(made).update(until=until)
        return made

    @asynccontextmanager
    async def service(self, **how):
        async with super().service(**how) as working:
            yield working
        await self.until.wait()
