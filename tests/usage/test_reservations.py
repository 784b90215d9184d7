"""Units are set aside before the work and counted after it, once, whatever becomes of either."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update

from tenantry import Google, Meter, Plan, Product
from tenantry.holders.models import Holders, Plans
from tenantry.kernel import Context, new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import UnitStillOpen
from tenantry.testing import AppKit
from tenantry.usage import Leases, QuotaExceeded, consume, decide
from tenantry.usage.actions import forget_old_windows
from tenantry.usage.errors import ReservationConflict, ReservationNotFound
from tenantry.usage.models import UsageCounters, UsageNotices, UsageReservations
from tenantry.usage.queries import reservations as queries
from tenantry.usage.queries.exchange import Asked
from tenantry.usage.reservations import Reservation, expire_reservations, release, reserve, reserved, settle
from usage.people import counter, person, to_plan

tokens = Meter("tokens", per="month", notices=(80,))
requests, other = Meter("requests"), Meter("other")
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("small", price=0, limits={tokens: 100, requests: 1000}),
        Plan("large", price=900, limits={tokens: 1000, requests: 1000}),
        Plan("unlimited", price=9000, limits={tokens: None, requests: None}),
        Plan("without", price=0, limits={tokens: 1, requests: 5}),
    ],
)
MINUTES = timedelta(minutes=10)
_lease = statement(update(UsageCounters).where(UsageCounters.holder_id == param("holder")).values(leased=param("all")))
_forget_tokens = statement(update(Plans).where(Plans.name == "without").values(limits={"requests": 5}))
_count = statement(select(func.count()).select_from(UsageReservations))
_told = statement(select(func.count()).select_from(UsageNotices))
_windows = statement(
    select(UsageCounters.used, UsageCounters.leased, UsageCounters.overrun, UsageCounters.quota)
    .where(UsageCounters.holder_id == param("holder"))
    .order_by(UsageCounters.window_start),
    lambda *row: row,
)
_delete = statement(delete(Holders).where(Holders.id == param("holder")))


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(PRODUCT)
    # As a deployment wrote it that did not know the tokens: a declaration of today names all of them.
    async with started.system.service() as ctx:
        await ctx.db.run(_forget_tokens)
    return started


@pytest.fixture
async def ctx(kit: AppKit) -> Context:
    """A hundred tokens a month."""
    return await person(kit, "small")


async def stored(ctx: Context, reservation: UUID) -> Reservation:
    async with ctx.service(writes=False) as reading:
        found = await queries.by_id(reading.db, reservation)
    assert found is not None
    return found


async def expire(kit: AppKit) -> None:
    await kit.move(minutes=11)
    await expire_reservations(kit.system, {})


# --- Setting aside ---


async def test_units_are_set_aside_and_what_was_used_is_counted(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 40, expires_in=MINUTES)
    assert (held.status, held.units, held.settled) == ("held", 40, None)
    assert held.expires_at == ctx.clock.now() + MINUTES
    assert await counter(ctx, tokens) == (0, 40, 0, 100)
    done = await settle(ctx, held.id, 25)
    assert (done.status, done.settled) == ("settled", 25)
    assert await counter(ctx, tokens) == (25, 0, 0, 100)


async def test_released_units_are_free_again(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 100, expires_in=MINUTES)
    assert (await release(ctx, held.id)).status == "released"
    assert await counter(ctx, tokens) == (0, 0, 0, 100)
    assert await reserve(ctx, tokens, 100, expires_in=MINUTES)


async def test_429_what_does_not_fit_changes_nothing(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 60, expires_in=MINUTES)
    await settle(ctx, held.id, 60)
    with pytest.raises(QuotaExceeded) as refused:
        await reserve(ctx, tokens, 41, expires_in=MINUTES)
    assert {
        "meter": "tokens",
        "cost": 41,
        "limit": 100,
        "used": 60,
        "remaining": 40,
    }.items() <= refused.value.extra.items()
    assert int(refused.value.headers["Retry-After"]) > 3600
    assert await counter(ctx, tokens) == (60, 0, 0, 100)
    assert await reserve(ctx, tokens, 40, expires_in=MINUTES)


async def test_429_more_than_the_whole_limit_is_not_told_to_wait(ctx: Context) -> None:
    with pytest.raises(QuotaExceeded) as refused:
        await reserve(ctx, tokens, 101, expires_in=MINUTES)
    assert "Retry-After" not in refused.value.headers


async def test_429_a_plan_that_does_not_name_the_meter_admits_nothing(kit: AppKit) -> None:
    ctx = await person(kit, "without")
    with pytest.raises(QuotaExceeded) as refused:
        await reserve(ctx, tokens, 1, expires_in=MINUTES)
    assert refused.value.extra["limit"] == 0
    assert await counter(ctx, tokens) is None


async def test_without_a_limit_everything_fits(kit: AppKit) -> None:
    ctx = await person(kit, "unlimited")
    held = [await reserve(ctx, tokens, 10**12, expires_in=MINUTES) for _ in range(3)]
    await settle(ctx, held[0].id, 10**12)
    assert await counter(ctx, tokens) == (10**12, 2 * 10**12, 0, None)


async def test_units_of_a_lease_of_this_process_come_back_first(ctx: Context) -> None:
    for _ in range(300):
        await decide(ctx, ctx.holder.id, requests)
    async with ctx.service(writes=False) as reading:
        leased = await reading.db.one(statement(select(func.sum(UsageCounters.leased) > 0)))
    assert leased, "nothing is leased, so this shows nothing"
    assert await reserve(ctx, requests, 700, expires_in=MINUTES)


async def test_429_soon_where_others_hold_what_is_missing(ctx: Context) -> None:
    await settle(ctx, (await reserve(ctx, tokens, 50, expires_in=MINUTES)).id, 50)
    async with ctx.service() as working:
        await working.db.run(_lease, holder=ctx.holder.id, all=30)
    with pytest.raises(QuotaExceeded) as refused:
        await reserve(ctx, tokens, 50, expires_in=MINUTES)
    assert refused.value.headers["Retry-After"] == "1"
    with pytest.raises(QuotaExceeded) as refused:
        await reserve(ctx, tokens, 51, expires_in=MINUTES)
    assert refused.value.headers["Retry-After"] != "1"


async def test_429_in_a_while_where_only_reservations_hold_what_is_missing(kit: AppKit, ctx: Context) -> None:
    await reserve(ctx, tokens, 60, expires_in=MINUTES)
    for asking in (reserve(ctx, tokens, 50, expires_in=MINUTES), consume(ctx, tokens, 50), consume(ctx, tokens, 100)):
        with pytest.raises(QuotaExceeded, match="60 are set aside for work under way") as refused:
            await asking
        assert refused.value.headers["Retry-After"] == "30"
    await settle(ctx, (await reserve(ctx, tokens, 20, expires_in=MINUTES)).id, 20)
    await kit.move(seconds=2)
    for asking in (reserve(ctx, tokens, 90, expires_in=MINUTES), consume(ctx, tokens, 90)):
        with pytest.raises(QuotaExceeded) as refused:
            await asking
        assert int(refused.value.headers["Retry-After"]) > 30


async def test_of_many_at_once_no_more_are_set_aside_than_there_are(ctx: Context) -> None:
    tried = [reserve(ctx, tokens, 30, expires_in=MINUTES) for _ in range(8)]
    found = await asyncio.gather(*tried, return_exceptions=True)
    assert sum(isinstance(one, Reservation) for one in found) == 3
    assert sum(isinstance(one, QuotaExceeded) for one in found) == 5
    assert await counter(ctx, tokens) == (0, 90, 0, 100)


async def test_nothing_is_reserved_or_ended_inside_a_unit(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 1, expires_in=MINUTES)
    async with ctx.service() as working:
        await working.db.run(_lease, holder=ctx.holder.id, all=1)
        for act in (reserve(working, tokens, 1, expires_in=MINUTES), settle(working, held.id, 1)):
            with pytest.raises(UnitStillOpen):
                await act


@pytest.mark.parametrize("units", [0, -1, 10**12 + 1])
async def test_units_out_of_range_are_refused(ctx: Context, units: int) -> None:
    with pytest.raises(ValueError, match="units"):
        await reserve(ctx, tokens, units, expires_in=MINUTES)
    held = await reserve(ctx, tokens, 1, expires_in=MINUTES)
    if units:
        with pytest.raises(ValueError, match="units"):
            await settle(ctx, held.id, units)


@pytest.mark.parametrize("expires_in", [timedelta(), timedelta(seconds=-1), timedelta(days=8)])
async def test_a_time_out_of_range_is_refused(ctx: Context, expires_in: timedelta) -> None:
    with pytest.raises(ValueError, match="expires"):
        await reserve(ctx, tokens, 1, expires_in=expires_in)


async def test_an_unknown_meter_or_holder_is_an_error(ctx: Context) -> None:
    with pytest.raises(LookupError, match="other"):
        await reserve(ctx, other, 1, expires_in=MINUTES)
    with pytest.raises(LookupError, match="does not exist"):
        await reserve(ctx, tokens, 1, expires_in=MINUTES, holder_id=new_id())


# --- The same one again ---


async def test_the_same_id_is_the_same_reservation_also_when_it_has_ended(ctx: Context) -> None:
    name = new_id()
    held = await reserve(ctx, tokens, 80, expires_in=MINUTES, reservation_id=name)
    assert await reserve(ctx, tokens, 80, expires_in=MINUTES, reservation_id=name) == held
    assert await counter(ctx, tokens) == (0, 80, 0, 100)
    done = await settle(ctx, name, 10)
    assert await reserve(ctx, tokens, 80, expires_in=MINUTES, reservation_id=name) == done
    assert await counter(ctx, tokens) == (10, 0, 0, 100)


async def test_the_same_id_many_times_at_once_is_set_aside_once(ctx: Context) -> None:
    name = new_id()
    tried = [reserve(ctx, tokens, 80, expires_in=MINUTES, reservation_id=name) for _ in range(8)]
    found = await asyncio.gather(*tried)
    assert len({one.id for one in found}) == 1
    assert await counter(ctx, tokens) == (0, 80, 0, 100)


async def test_the_same_id_that_took_the_last_units_meanwhile_is_found(ctx: Context) -> None:
    """And has been settled already, so that nothing is held that might come back."""
    name = new_id()
    await release(ctx, (await reserve(ctx, tokens, 1, expires_in=MINUTES)).id)
    asked = Asked(ctx.holder.id, tokens.name, tokens.per, None, 0, 0, need=80, take=80, directly=False)
    async with ctx.service() as working:
        taken = await queries.take(working.db, asked)
        assert taken is not None
        made = await queries.add(working.db, name, taken, seconds=600, on_expiry="settle")
        act = reserve(ctx, tokens, 80, expires_in=MINUTES, reservation_id=name)
        # As another request: in this task's context a unit is open.
        again = asyncio.create_task(act, context=contextvars.Context())
        done, _ = await asyncio.wait([again], timeout=0.3)
        assert not done
        await queries.end(working.db, made, queries.End("settled", 80))
    assert (await again).settled == 80
    assert await counter(ctx, tokens) == (80, 0, 0, 100)


async def test_409_the_same_id_with_other_values(kit: AppKit, ctx: Context) -> None:
    name, neighbour = new_id(), await person(kit, "small")
    await reserve(ctx, tokens, 10, expires_in=MINUTES, reservation_id=name)
    for who, meter, units in ((ctx, tokens, 11), (ctx, requests, 10), (neighbour, tokens, 10)):
        with pytest.raises(ReservationConflict):
            await reserve(who, meter, units, expires_in=MINUTES, reservation_id=name)
    assert await counter(neighbour, tokens) is None
    assert await counter(ctx, tokens) == (0, 10, 0, 100)


async def test_ending_it_again_with_the_same_figure_answers_the_same(ctx: Context) -> None:
    one, two = [await reserve(ctx, tokens, 10, expires_in=MINUTES) for _ in range(2)]
    assert await settle(ctx, one.id, 7) == await settle(ctx, one.id, 7)
    assert await release(ctx, two.id) == await release(ctx, two.id)
    assert await counter(ctx, tokens) == (7, 0, 0, 100)


async def test_409_ending_it_otherwise(ctx: Context) -> None:
    one, two = [await reserve(ctx, tokens, 10, expires_in=MINUTES) for _ in range(2)]
    await settle(ctx, one.id, 7)
    await release(ctx, two.id)
    for act in (settle(ctx, one.id, 8), release(ctx, one.id), settle(ctx, two.id, 0)):
        with pytest.raises(ReservationConflict):
            await act
    assert await counter(ctx, tokens) == (7, 0, 0, 100)


async def test_404_no_such_reservation_or_somebody_elses(kit: AppKit, ctx: Context) -> None:
    held, neighbour = await reserve(ctx, tokens, 10, expires_in=MINUTES), await person(kit, "small")
    for act in (settle(ctx, new_id(), 1), settle(neighbour, held.id, 1), release(neighbour, held.id)):
        with pytest.raises(ReservationNotFound):
            await act
    with pytest.raises(ReservationNotFound):
        await settle(ctx, held.id, 1, holder_id=neighbour.holder.id)
    assert (await stored(ctx, held.id)).status == "held"
    assert (await settle(neighbour, held.id, 1, holder_id=ctx.holder.id)).settled == 1


async def test_a_job_reserves_for_a_holder_and_settles_without_one(kit: AppKit, ctx: Context) -> None:
    held = await reserve(kit.system, tokens, 10, expires_in=MINUTES, holder_id=ctx.holder.id)
    assert (await settle(kit.system, held.id, 4)).settled == 4
    assert await counter(ctx, tokens) == (4, 0, 0, 100)


# --- More than was set aside ---


async def test_what_is_free_covers_more_than_was_set_aside(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 10, expires_in=MINUTES)
    await settle(ctx, held.id, 60)
    assert await counter(ctx, tokens) == (60, 0, 0, 100)


async def test_what_nothing_covers_is_overrun_and_then_nothing_is_admitted(ctx: Context) -> None:
    one, two = [await reserve(ctx, tokens, 40, expires_in=MINUTES) for _ in range(2)]
    await settle(ctx, one.id, 90)
    assert await counter(ctx, tokens) == (60, 40, 30, 100)
    with pytest.raises(QuotaExceeded) as refused:
        await reserve(ctx, tokens, 1, expires_in=MINUTES)
    assert (refused.value.extra["used"], refused.value.extra["remaining"]) == (90, 0)
    await settle(ctx, two.id, 40)
    assert await counter(ctx, tokens) == (100, 0, 30, 100)


async def test_units_that_come_back_pay_the_overrun_first(ctx: Context) -> None:
    one, two = [await reserve(ctx, tokens, 40, expires_in=MINUTES) for _ in range(2)]
    await settle(ctx, one.id, 90)
    await release(ctx, two.id)
    assert not (await decide(ctx, ctx.holder.id, tokens, 11)).allowed
    assert (await decide(ctx, ctx.holder.id, tokens, 10)).allowed
    assert await counter(ctx, tokens) == (70, 0, 30, 100)


async def test_a_larger_plan_has_room_for_the_overrun(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 100, expires_in=MINUTES)
    await settle(ctx, held.id, 150)
    assert await counter(ctx, tokens) == (100, 0, 50, 100)
    await to_plan(ctx, "large")
    with pytest.raises(QuotaExceeded):
        await reserve(ctx, tokens, 851, expires_in=MINUTES)
    assert await reserve(ctx, tokens, 850, expires_in=MINUTES)
    assert await counter(ctx, tokens) == (100, 850, 50, 1000)


async def test_overrun_is_not_free_for_who_needs_more_either(ctx: Context) -> None:
    await settle(ctx, (await reserve(ctx, tokens, 100, expires_in=MINUTES)).id, 150)
    await to_plan(ctx, "large")
    held = await reserve(ctx, tokens, 10, expires_in=MINUTES)
    await settle(ctx, held.id, 900)
    assert await counter(ctx, tokens) == (950, 0, 100, 1000)


# --- Plans and windows that change meanwhile ---


async def test_a_smaller_plan_leaves_what_is_held_and_admits_no_more(kit: AppKit) -> None:
    ctx = await person(kit, "large")
    one, two = [await reserve(ctx, tokens, 300, expires_in=MINUTES) for _ in range(2)]
    await to_plan(ctx, "small")
    assert await counter(ctx, tokens) == (0, 600, 0, 600)
    with pytest.raises(QuotaExceeded):
        await reserve(ctx, tokens, 1, expires_in=MINUTES)
    await settle(ctx, one.id, 350)
    assert await counter(ctx, tokens) == (300, 300, 50, 600)
    await release(ctx, two.id)
    assert await counter(ctx, tokens) == (300, 0, 50, 300)
    with pytest.raises(QuotaExceeded):
        await reserve(ctx, tokens, 1, expires_in=MINUTES)


async def test_a_plan_without_the_meter_still_counts_what_is_held(ctx: Context) -> None:
    held = await reserve(ctx, tokens, 40, expires_in=MINUTES)
    await to_plan(ctx, "without")
    await settle(ctx, held.id, 50)
    assert await counter(ctx, tokens) == (40, 0, 10, 40)


async def test_it_belongs_to_its_window_also_when_that_is_over(kit: AppKit, ctx: Context) -> None:
    held = await reserve(ctx, requests, 10, expires_in=timedelta(days=2))
    await kit.move(days=1)
    today = await reserve(ctx, requests, 1000, expires_in=MINUTES)
    assert today.window_start != held.window_start
    await to_plan(ctx, "without")
    done = await settle(ctx, held.id, 30)
    assert done.window_start == held.window_start
    async with ctx.service(writes=False) as reading:
        rows = await reading.db.rows(_windows, holder=ctx.holder.id)
    assert rows == [(30, 0, 0, 1000), (0, 1000, 0, 1000)]


async def test_it_goes_with_its_window_and_with_its_holder(kit: AppKit, ctx: Context) -> None:
    held = await reserve(ctx, requests, 10, expires_in=timedelta(days=7))
    await kit.move(days=kit.runtime.settings.usage_retention_days + 2)
    await forget_old_windows(kit.system, {})
    with pytest.raises(ReservationNotFound):
        await settle(ctx, held.id, 1)
    await reserve(ctx, requests, 10, expires_in=timedelta(days=7))
    async with kit.system.service() as working:
        assert await working.db.one(_count) == 1
        await working.db.run(_delete, holder=ctx.holder.id)
        assert await working.db.one(_count) == 0


async def test_whoever_settles_waits_in_line_with_who_deletes(ctx: Context) -> None:
    """Both want the counter first and the reservation second: in another order each would wait for the other."""
    held = await reserve(ctx, tokens, 10, expires_in=MINUTES)
    async with ctx.service() as working:
        await working.db.run(_lease, holder=ctx.holder.id, all=10)
        settling = asyncio.create_task(settle(ctx, held.id, 1), context=contextvars.Context())
        done, _ = await asyncio.wait([settling], timeout=0.3)
        assert not done
        await working.db.run(_delete, holder=ctx.holder.id)
    with pytest.raises(ReservationNotFound):
        await settling


# --- Time ---


async def test_what_nobody_settled_counts_as_a_whole_or_not_at_all(kit: AppKit, ctx: Context) -> None:
    one = await reserve(ctx, tokens, 30, expires_in=MINUTES)
    two = await reserve(ctx, tokens, 20, expires_in=MINUTES, on_expiry="release")
    later = await reserve(ctx, tokens, 10, expires_in=2 * MINUTES)
    await kit.move(MINUTES)
    await expire_reservations(kit.system, {})
    assert [(await stored(ctx, each.id)).status for each in (one, two, later)] == ["expired", "expired", "held"]
    assert [(await stored(ctx, each.id)).settled for each in (one, two, later)] == [30, 0, None]
    assert await counter(ctx, tokens) == (30, 10, 0, 100)
    await expire_reservations(kit.system, {})
    assert await counter(ctx, tokens) == (30, 10, 0, 100)


async def test_the_job_runs_by_itself_and_through_any_number(kit: AppKit, ctx: Context) -> None:
    for _ in range(queries.DUE_MAX + 3):
        await reserve(ctx, requests, 1, expires_in=MINUTES)
    await kit.move(MINUTES)
    await expire_reservations(kit.system, {})
    assert await counter(ctx, requests) == (queries.DUE_MAX + 3, 0, 0, 1000)
    job = kit.runtime.jobs["usage.expire_reservations"]
    assert (job.run, job.every) == (expire_reservations, timedelta(minutes=1))


@pytest.mark.parametrize(("actual", "then"), [(5, (5, 0, 0)), (30, (30, 0, 0)), (80, (80, 0, 0)), (130, (100, 0, 30))])
@pytest.mark.parametrize("on_expiry", ["settle", "release"])
async def test_the_figure_that_comes_late_takes_the_place_of_the_guess_once(
    kit: AppKit, ctx: Context, on_expiry: Any, actual: int, then: tuple[int, int, int]
) -> None:
    """People pay for what was used: not for the whole amount because a process died, and not for nothing either."""
    held = await reserve(ctx, tokens, 30, expires_in=MINUTES, on_expiry=on_expiry)
    await expire(kit)
    done = await settle(ctx, held.id, actual)
    assert (done.status, done.settled) == ("settled", actual)
    assert await counter(ctx, tokens) == (*then, 100)
    assert await settle(ctx, held.id, actual) == done
    for act in (settle(ctx, held.id, actual + 1), release(ctx, held.id)):
        with pytest.raises(ReservationConflict):
            await act
    assert await counter(ctx, tokens) == (*then, 100)


@pytest.mark.parametrize("on_expiry", ["settle", "release"])
async def test_a_late_release_gives_back_what_time_had_counted(kit: AppKit, ctx: Context, on_expiry: Any) -> None:
    held = await reserve(ctx, tokens, 30, expires_in=MINUTES, on_expiry=on_expiry)
    await expire(kit)
    assert (await release(ctx, held.id)).status == "released"
    assert await counter(ctx, tokens) == (0, 0, 0, 100)
    with pytest.raises(ReservationConflict):
        await settle(ctx, held.id, 1)


async def test_a_late_figure_takes_nothing_from_what_others_have_by_then(kit: AppKit, ctx: Context) -> None:
    held = await reserve(ctx, tokens, 30, expires_in=MINUTES, on_expiry="release")
    await expire(kit)
    assert (await decide(ctx, ctx.holder.id, tokens, 95)).allowed
    await settle(ctx, held.id, 30)
    assert await counter(ctx, tokens) == (100, 0, 25, 100)


async def test_settled_after_its_time_but_before_the_job_is_settled(kit: AppKit, ctx: Context) -> None:
    held = await reserve(ctx, tokens, 30, expires_in=MINUTES)
    await kit.move(minutes=11)
    await settle(ctx, held.id, 3)
    await expire_reservations(kit.system, {})
    assert (await stored(ctx, held.id)).status == "settled"
    assert await counter(ctx, tokens) == (3, 0, 0, 100)


@pytest.mark.parametrize("first", range(4))
async def test_of_all_ends_at_once_the_last_word_stands(kit: AppKit, ctx: Context, first: int) -> None:
    held = [await reserve(ctx, requests, 10, expires_in=MINUTES) for _ in range(6)]
    await kit.move(MINUTES)
    acts: list[Any] = [expire_reservations(kit.system, {}), expire_reservations(kit.system, {})]
    acts += [act for one in held for act in (settle(ctx, one.id, 4), release(ctx, one.id), settle(ctx, one.id, 4))]
    told = await asyncio.gather(*acts[first:], *acts[:first], return_exceptions=True)
    assert {type(one) for one in told} <= {type(None), Reservation, ReservationConflict}
    ended = [await stored(ctx, one.id) for one in held]
    assert {one.status for one in ended} <= {"settled", "released"}
    for one in ended:
        agreed = [each for each in told if isinstance(each, Reservation) and each.id == one.id]
        assert set(agreed) == {one} if one.status == "settled" else agreed == [one]
    assert await counter(ctx, requests) == (sum(one.settled or 0 for one in ended), 0, 0, 1000)


# --- The block ---


async def test_a_block_settles_at_its_last_word(ctx: Context) -> None:
    async with reserved(ctx, tokens, 40, expires_in=MINUTES) as held:
        assert await counter(ctx, tokens) == (0, 40, 0, 100)
        held.settle(10)
        held.settle(15)
    assert await counter(ctx, tokens) == (15, 0, 0, 100)


@pytest.mark.parametrize(("on_expiry", "counted"), [("settle", 40), ("release", 0)])
async def test_a_block_that_says_nothing_ends_as_its_terms_say(ctx: Context, on_expiry: Any, counted: int) -> None:
    async with reserved(ctx, tokens, 40, expires_in=MINUTES, on_expiry=on_expiry):
        pass
    assert await counter(ctx, tokens) == (counted, 0, 0, 100)


@pytest.mark.parametrize(
    ("begins", "says", "counted"), [(False, None, 0), (True, None, 40), (True, 9, 9), (False, 9, 9)]
)
async def test_a_block_that_fails_counts_what_it_had_begun(
    ctx: Context, begins: bool, says: int | None, counted: int
) -> None:
    async def work() -> None:
        async with reserved(ctx, tokens, 40, expires_in=MINUTES) as held:
            if begins:
                held.begin()
            if says is not None:
                held.settle(says)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert await counter(ctx, tokens) == (counted, 0, 0, 100)


async def test_a_block_that_is_cancelled_settles_all_the_same(ctx: Context) -> None:
    working = asyncio.Event()

    async def work() -> None:
        async with reserved(ctx, tokens, 40, expires_in=MINUTES) as held:
            held.settle(12)
            working.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await working.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await counter(ctx, tokens) == (12, 0, 0, 100)


async def test_whoever_goes_away_while_reserving_gives_it_back(ctx: Context) -> None:
    """At whatever moment: before it was asked, before it was answered, after it was."""
    is_entered = False

    async def work() -> None:
        nonlocal is_entered
        async with reserved(ctx, tokens, 40, expires_in=MINUTES):
            is_entered = True
            await asyncio.sleep(60)

    turns = 0
    while not is_entered:
        turns += 1
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await counter(ctx, tokens) in {None, (0, 0, 0, 100)}
    assert turns > 1


async def test_a_stream_that_is_not_read_to_its_end_is_settled(ctx: Context) -> None:
    async def stream() -> AsyncIterator[int]:
        async with reserved(ctx, tokens, 40, expires_in=MINUTES) as held:
            for number in range(1, 10):
                held.settle(number)
                yield number

    async with aclosing(stream()) as parts:
        async for part in parts:
            if part == 3:
                break
    assert await counter(ctx, tokens) == (3, 0, 0, 100)


async def test_409_a_block_is_not_entered_again_under_the_same_id(ctx: Context) -> None:
    name = new_id()
    async with reserved(ctx, tokens, 40, expires_in=MINUTES, reservation_id=name) as held:
        held.settle(5)
    with pytest.raises(ReservationConflict):
        async with reserved(ctx, tokens, 40, expires_in=MINUTES, reservation_id=name):
            pytest.fail("the work was done already")
    assert await counter(ctx, tokens) == (5, 0, 0, 100)


async def test_a_block_that_outlives_its_time_is_settled_at_its_figure(kit: AppKit, ctx: Context) -> None:
    async with reserved(ctx, tokens, 40, expires_in=MINUTES) as held:
        await expire(kit)
        assert await counter(ctx, tokens) == (40, 0, 0, 100)
        held.settle(8)
    assert await counter(ctx, tokens) == (8, 0, 0, 100)


# --- What people see ---


async def test_people_see_only_their_own_and_write_none(kit: AppKit, ctx: Context) -> None:
    neighbour = await person(kit, "small")
    held = await reserve(ctx, tokens, 10, expires_in=MINUTES)
    for who, seen in ((ctx, [held.id]), (neighbour, [])):
        async with who.unit(writes=False) as reading:
            assert await reading.db.rows(statement(select(UsageReservations.id))) == seen


async def test_a_settlement_beyond_a_percent_of_the_limit_is_told_by_mail(kit: AppKit, ctx: Context) -> None:
    held = await reserve(ctx, tokens, 10, expires_in=MINUTES)
    await settle(ctx, held.id, 79)
    await ctx.port(Leases).notices.written()
    assert await _notices(kit) == 0
    held = await reserve(ctx, tokens, 1, expires_in=MINUTES)
    await settle(ctx, held.id, 1)
    await ctx.port(Leases).notices.written()
    assert await _notices(kit) == 1


async def _notices(kit: AppKit) -> int:
    async with kit.system.service(writes=False) as reading:
        found: int = await reading.db.one(_told)
    return found
