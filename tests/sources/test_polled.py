"""A feed made of one function: who shares a request, who waits, who goes first, who is sent away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tenantry.kernel.clock import FrozenClock
from tenantry.sources import Host, Polled, Quote, Reading, SourceError, SourceUnavailable, SymbolUnknown
from tenantry.sources.providers.host import REQUESTS_MAX
from tenantry.sources.providers.polled import SYMBOLS_ASKED_MAX


class Upstream:
    """Answers every symbol, at once or when it is let go, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.goes = asyncio.Event()
        self.goes.set()
        self.fault: Exception | None = None

    async def fetch(self, symbols: Sequence[str]) -> dict[str, Quote | SourceError]:
        self.asked.append(list(symbols))
        await self.goes.wait()
        if self.fault:
            raise self.fault
        return {symbol: quote(symbol) for symbol in symbols if symbol != "LEFTOUT"}


def quote(symbol: str) -> Quote:
    return Quote(symbol=symbol, price=Decimal(1), as_of=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def host(clock: FrozenClock) -> Host:
    return Host("http://127.0.0.1:1", clock, units_max=100)


@pytest.fixture
async def one_by_one(upstream: Upstream, host: Host) -> AsyncIterator[Polled]:
    feed = Polled(upstream.fetch, host, units=10)
    yield feed
    await feed.aclose()


@pytest.fixture
async def together(upstream: Upstream, host: Host) -> AsyncIterator[Polled]:
    feed = Polled(upstream.fetch, host, symbols_max=20, kind=lambda symbol: symbol.startswith("NEW"))
    yield feed
    await feed.aclose()


def ask(feed: Polled, *symbols: str, priority: int = 0) -> list[asyncio.Task[Reading]]:
    return [asyncio.create_task(feed.quote(symbol, priority=priority)) for symbol in symbols]


async def settled(feed: Polled, waiting: int) -> None:
    """Wait until so many stand in line and what may go has gone."""
    async with asyncio.timeout(10):
        while feed.waiting != waiting:
            await asyncio.sleep(0.001)


def exhaust(host: Host) -> None:
    assert host.budget
    host.budget.send(100)


async def reasons(tasks: Sequence[asyncio.Task[Reading]]) -> list[str]:
    done = await asyncio.gather(*tasks, return_exceptions=True)
    return [one.reason if isinstance(one, SourceUnavailable) else type(one).__name__ for one in done]


async def test_callers_within_a_moment_share_requests_of_as_many_as_one_takes(
    together: Polled, upstream: Upstream
) -> None:
    symbols = [f"SYM{number:02}" for number in range(45)]
    readings = await asyncio.gather(*(together.quote(symbol) for symbol in symbols for _ in range(3)))
    assert [len(one) for one in upstream.asked] == [20, 20, 5]
    assert [symbol for one in upstream.asked for symbol in one] == symbols
    assert [reading.quote.symbol for reading in readings] == [symbol for symbol in symbols for _ in range(3)]


async def test_symbols_of_different_kinds_never_share(together: Polled, upstream: Upstream) -> None:
    await asyncio.gather(*(together.quote(symbol) for symbol in ("AAA", "NEWA", "BBB", "NEWB")))
    assert upstream.asked == [["AAA", "BBB"], ["NEWA", "NEWB"]]


async def test_what_is_left_out_is_invalid_and_the_others_have_their_price(together: Polled) -> None:
    assert await reasons(ask(together, "AAA", "LEFTOUT")) == ["Reading", "invalid"]


async def test_what_is_raised_is_everybodys_answer(together: Polled, upstream: Upstream) -> None:
    upstream.fault = SymbolUnknown("either")
    assert await reasons(ask(together, "AAA", "BBB")) == ["SymbolUnknown", "SymbolUnknown"]


async def test_a_fault_of_the_adapter_reaches_every_caller_and_the_feed_goes_on(
    together: Polled, upstream: Upstream
) -> None:
    upstream.fault = ZeroDivisionError()
    assert await reasons(ask(together, "AAA", "AAA", "BBB")) == ["ZeroDivisionError"] * 3
    upstream.fault = None
    assert await reasons(ask(together, "AAA")) == ["Reading"]


async def test_an_adapter_that_answers_nothing_at_all_keeps_nobody_waiting(clock: FrozenClock) -> None:
    async def forgetful(_symbols: Sequence[str]) -> Any:
        return None

    feed = Polled(forgetful, Host("http://127.0.0.1:1", clock), symbols_max=20)
    async with asyncio.timeout(5):
        assert await reasons(ask(feed, "AAA", "BBB")) == ["AttributeError"] * 2
        assert await reasons(ask(feed, "AAA")) == ["AttributeError"]
    await feed.aclose()


async def test_so_many_requests_at_once_and_then_busy(
    one_by_one: Polled, upstream: Upstream, clock: FrozenClock
) -> None:
    upstream.goes.clear()
    under_way = ask(one_by_one, *(f"SYM{number}" for number in range(REQUESTS_MAX)))
    await settled(one_by_one, 0)
    late = ask(one_by_one, "LATE")
    await settled(one_by_one, 1)
    clock.move(seconds=2)
    last = ask(one_by_one, "LAST")
    assert await reasons(late) == ["busy"]
    upstream.goes.set()
    assert await reasons([*under_way, *last]) == ["Reading"] * (REQUESTS_MAX + 1)
    assert one_by_one.waits == {"sent": REQUESTS_MAX + 1, "in_vain": 1}


async def test_larger_plans_go_first_and_then_who_came_first(
    one_by_one: Polled, upstream: Upstream, host: Host, clock: FrozenClock
) -> None:
    clock.move(seconds=59)
    exhaust(host)
    free = ask(one_by_one, "FREE1", "FREE2", "FREE3")
    await settled(one_by_one, 3)
    paying = ask(one_by_one, "PRO1", "PRO2", priority=1) + ask(one_by_one, "FREE3", priority=1)
    await settled(one_by_one, 5)
    assert upstream.asked == []
    clock.move(seconds=1)
    free += ask(one_by_one, "FREE4")
    assert set(await reasons([*free, *paying])) == {"Reading"}
    assert upstream.asked == [["PRO1"], ["PRO2"], ["FREE3"], ["FREE1"], ["FREE2"], ["FREE4"]]


async def test_where_the_budget_is_short_each_waits_for_a_bounded_time(
    one_by_one: Polled, upstream: Upstream, host: Host, clock: FrozenClock
) -> None:
    exhaust(host)
    first = ask(one_by_one, "FREE1")
    await settled(one_by_one, 1)
    clock.move(seconds=1.9)
    second = ask(one_by_one, "FREE2")
    await settled(one_by_one, 2)
    clock.move(seconds=0.1)
    third = ask(one_by_one, "FREE3")
    with pytest.raises(SourceUnavailable) as caught:
        await first[0]
    assert (caught.value.reason, caught.value.retry_after) == ("short", 58)
    assert [task.done() for task in (*second, *third)] == [False, False]
    assert upstream.asked == []
    await one_by_one.aclose()
    assert await reasons([*second, *third]) == ["closed", "closed"]


async def test_a_caller_of_a_larger_plan_takes_the_symbol_of_another_along(
    one_by_one: Polled, upstream: Upstream, host: Host, clock: FrozenClock
) -> None:
    exhaust(host)
    free = ask(one_by_one, "SAME", "OTHER")
    await settled(one_by_one, 2)
    clock.move(seconds=1)
    paying = ask(one_by_one, "SAME", priority=1)
    await asyncio.sleep(0.01)
    clock.move(seconds=1.5)  # too long for those who came first, but not for the symbol that is urgent now
    ask_again = ask(one_by_one, "THIRD")
    assert await reasons(free[1:]) == ["short"]
    assert [task.done() for task in (free[0], *paying, *ask_again)] == [False] * 3


async def test_what_is_short_is_a_stale_value_where_there_is_one(
    one_by_one: Polled, upstream: Upstream, host: Host, clock: FrozenClock
) -> None:
    await one_by_one.quote("KNOWN")
    clock.move(seconds=10)
    exhaust(host)
    waiting = ask(one_by_one, "KNOWN")
    await settled(one_by_one, 1)
    clock.move(seconds=2)
    ask(one_by_one, "OTHER")
    reading = await waiting[0]
    assert (reading.is_stale, reading.age_seconds) == (True, 12)


async def test_a_full_line_sends_free_callers_away_and_makes_room_for_others(
    together: Polled, host: Host, clock: FrozenClock
) -> None:
    exhaust(host)
    free = ask(together, *(f"SYM{number}" for number in range(SYMBOLS_ASKED_MAX)))
    await settled(together, SYMBOLS_ASKED_MAX)
    assert await reasons(ask(together, "ONEMORE")) == ["busy"]
    paying = ask(together, "PRO", priority=1)
    assert await reasons(free[-1:]) == ["busy"]
    await settled(together, SYMBOLS_ASKED_MAX)
    assert not paying[0].done()
    await together.aclose()
    assert set(await reasons([*free[:-1], *paying])) == {"closed"}


async def test_those_in_line_hear_at_once_that_the_host_asked_for_a_pause(
    one_by_one: Polled, host: Host, clock: FrozenClock
) -> None:
    exhaust(host)
    waiting = ask(one_by_one, "AAA")
    await settled(one_by_one, 1)
    host.pause(30, "throttled")
    late = ask(one_by_one, "BBB")
    assert await reasons([*late, *waiting]) == ["throttled", "throttled"]


async def test_a_caller_who_leaves_the_line_takes_nobody_along(
    one_by_one: Polled, host: Host, clock: FrozenClock
) -> None:
    clock.move(seconds=59)
    exhaust(host)
    leaving, staying = ask(one_by_one, "SAME", "SAME")
    await settled(one_by_one, 1)
    leaving.cancel()
    clock.move(seconds=1)
    assert await reasons([staying, *ask(one_by_one, "OTHER")]) == ["Reading", "Reading"]
    assert leaving.cancelled()


@pytest.mark.parametrize("address", ["", "example.com", "ftp://a", "http://u:p@a", "https://a?b=c", "https://a#b"])
def test_an_address_that_is_no_plain_http_is_refused(address: str, clock: FrozenClock) -> None:
    with pytest.raises(ValueError, match="address"):
        Host(address, clock)


def test_a_host_shows_no_key(clock: FrozenClock) -> None:
    assert "secret" not in repr(Host("https://a", clock, headers={"x-api-key": "secret"}))
