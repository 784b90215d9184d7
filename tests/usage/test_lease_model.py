"""The protocol of leases, searched: two workers, the orders of sending, executing, answering and losing, two windows.

A request that was given up may still be executed later, once. A worker may die at any moment, and the window may change
at any moment. The real `Held` is driven; the rows are a model of the statement, and `test_exchange.py` holds the
statement to the same arithmetic.

What is searched is bounded: one lost request at a time, limits of a few units, and a number of states. Worlds are taken
in the order of how few events lead to them, so what is left out needs more events than all that was looked at. Only one
unit in one window (31 808 worlds), and in the deep run two units (351 826), are gone through to the end.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from tenantry import Meter
from tenantry.usage.held import Held
from tenantry.usage.queries.exchange import Asked, Exchanged

HOLDER, METER = UUID(int=1), Meter("requests")
START = datetime(2026, 3, 14, tzinfo=UTC)
LOST_MAX = 1
WAYS_TO_ASK = ((0, 0, True), (1, 0, False), (1, 0, True), (0, 1, False), (1, 1, False), (1, 1, True))


class Row(NamedTuple):
    """The counter of one window: what is settled, what is leased, and how many calls were admitted in it."""

    used: int = 0
    leased: int = 0
    admitted: int = 0


class Worker(NamedTuple):
    """What one worker holds, what it sent, and what it will be answered."""

    held: tuple[Any, ...]
    window: int | None = None
    """Which row it knows; None: it asks for the one that is open."""
    is_done: bool = False
    """It may not spend any more before it has given everything back."""
    sent: Asked | None = None
    answer: tuple[Asked, "Answer"] | None = None


class Answer(NamedTuple):
    """What the statement answers that does not depend on when it arrives."""

    granted: int
    window: int
    is_over: bool


class World(NamedTuple):
    rows: tuple[Row, ...]
    open: int
    """Which row's window is open now."""
    limit: int
    largest: int
    """The largest limit that was ever in force."""
    workers: tuple[Worker, ...]
    ghosts: tuple[Asked, ...]
    """Requests that nobody waits for any more, and that may still be executed."""

    def with_row(self, place: int, row: Row) -> "World":
        return self._replace(rows=(*self.rows[:place], row, *self.rows[place + 1 :]))

    def with_worker(self, place: int, worker: Worker) -> "World":
        # Which worker is which does not matter.
        workers = (*self.workers[:place], worker, *self.workers[place + 1 :])
        return self._replace(workers=tuple(sorted(workers, key=repr)))


FIELDS = ("leased", "counted", "spent", "_before")
EMPTY = Worker((0, 0, 0, (0, 0, 0)))
WINDOWS = (START, START + timedelta(days=1))


def thawed(kind: type[Held], worker: Worker) -> Held:
    held = kind(METER, 0.0)
    for name, value in zip(FIELDS, worker.held, strict=True):
        setattr(held, name, value)
    if worker.window is not None:
        held.known = exchanged(Answer(0, worker.window, is_over=False), Row(), 0)
    held.deadline = 0.0 if worker.is_done else 1.0
    return held


def frozen(held: Held) -> Worker:
    window = None if held.known is None else WINDOWS.index(held.known.window_start)
    values = tuple(getattr(held, name) for name in FIELDS)
    return Worker(values, window, is_done=held.deadline <= 0.0 and not held.is_settled)


def executed(world: World, asked: Asked) -> tuple[World, Answer]:
    """The statement: see `queries/exchange.py`."""
    place = world.open if asked.window_start is None else WINDOWS.index(asked.window_start)
    row, is_over = world.rows[place], place != world.open
    free = world.limit - row.used - row.leased + asked.give
    granted = 0 if is_over or free < max(asked.need, 0) else min(asked.take, free)
    counted = granted if asked.directly else 0
    used = row.used + asked.settle + counted
    row = row._replace(used=used, leased=row.leased - asked.settle - asked.give + granted - counted)
    return world.with_row(place, row), Answer(granted, place, is_over)


def exchanged(answer: Answer, row: Row, limit: int) -> Exchanged:
    start = WINDOWS[answer.window]
    return Exchanged(
        HOLDER, "requests", "free", limit, limit, row.used, row.leased, answer.granted, start,
        start + timedelta(days=1), start, is_over=answer.is_over,
    )  # fmt: skip


def steps(world: World, kind: type[Held], limits: tuple[int, ...]) -> Iterator[World]:
    """Everything that may happen next."""
    for place, worker in enumerate(world.workers):
        yield from of_worker(place, worker, world, kind)
    for place, ghost in enumerate(world.ghosts):
        yield executed(world._replace(ghosts=world.ghosts[:place] + world.ghosts[place + 1 :]), ghost)[0]
    for limit in limits:
        if limit != world.limit:
            yield world._replace(limit=limit, largest=max(limit, world.largest))
    if world.open + 1 < len(world.rows):
        yield world._replace(open=world.open + 1)


def of_worker(place: int, worker: Worker, world: World, kind: type[Held]) -> Iterator[World]:
    held = thawed(kind, worker)
    if held.left >= 1 and not worker.is_done:
        held.spent += 1
        # In whichever window it thinks it is.
        row = world.rows[worker.window or 0]
        spending = world.with_row(worker.window or 0, row._replace(admitted=row.admitted + 1))
        yield spending.with_worker(place, frozen(held)._replace(sent=worker.sent, answer=worker.answer))
    if worker.sent is None and worker.answer is None:
        for need, more, closing in WAYS_TO_ASK:
            if closing or not worker.is_done:
                held = thawed(kind, worker)
                asked = held.ask(HOLDER, need=need, more=more, closing=closing)
                yield world.with_worker(place, frozen(held)._replace(is_done=worker.is_done, sent=asked))
    if worker.sent is not None:
        done, answer = executed(world, worker.sent)
        yield done.with_worker(place, worker._replace(sent=None, answer=(worker.sent, answer)))
        held = thawed(kind, worker)
        held.refused()
        yield world.with_worker(place, frozen(held))
    if worker.answer is not None:
        asked, answer = worker.answer
        held = thawed(kind, worker)
        held.answered(asked, exchanged(answer, world.rows[answer.window], world.limit), 0.0)
        yield world.with_worker(place, frozen(held))
    yield from gone(place, worker, world, kind)


def gone(place: int, worker: Worker, world: World, kind: type[Held]) -> Iterator[World]:
    """An answer is lost, or a worker: what it had sent may be executed still."""
    ghosts = (*world.ghosts, worker.sent) if worker.sent else world.ghosts
    if len(ghosts) > LOST_MAX:
        return
    left = world._replace(ghosts=tuple(sorted(ghosts, key=repr)))
    if worker.sent is not None or worker.answer is not None:
        held = thawed(kind, worker)
        held.lost()
        yield left.with_worker(place, frozen(held))
    if worker != EMPTY:
        yield left.with_worker(place, EMPTY)  # kill -9, and another worker starts


class Search(NamedTuple):
    states: int
    whole: bool
    """There are no more states than these."""
    broken: str | None
    """The first law that one of them breaks."""


def searched(kind: type[Held], limits: tuple[int, ...], *, states_max: int, windows: int = 2) -> Search:
    """Look at the worlds that few events lead to before those that more lead to, `states_max` of them or a few more."""
    start = World((Row(),) * windows, 0, limits[0], limits[0], (EMPTY, EMPTY), ())
    seen, ahead = {start}, [start]
    while ahead and len(seen) < states_max:
        following = []
        for world in ahead:
            for found in steps(world, kind, limits):
                if found not in seen:
                    if broken := law_broken(found):
                        return Search(len(seen), whole=False, broken=broken)
                    seen.add(found)
                    following.append(found)
        ahead = following
    return Search(len(seen), whole=not ahead, broken=None)


def law_broken(world: World) -> str | None:
    for row in world.rows:
        if row.admitted > world.largest:
            return "I1: more admitted than the largest limit in force"
        if row.used < 0 or row.leased < 0:
            return "I2: a count below nothing"
        if row.used + row.leased > world.largest:
            return "I2: more counted than the largest limit in force"
        if row.admitted > row.used + row.leased:
            return "I2: more admitted than counted"
    return None


@pytest.mark.parametrize("limits", [(1,), (2,), (2, 1), (1, 2)], ids=str)
def test_no_order_of_events_breaks_a_law(limits):
    search = searched(Held, limits, states_max=10_000)
    assert (search.broken, search.whole) == (None, False)


def test_every_order_of_events_keeps_the_laws_of_one_unit_in_one_window():
    assert searched(Held, (1,), states_max=50_000, windows=1)[1:] == (True, None)


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_every_order_of_events_keeps_the_laws_of_two_units_in_one_window():
    assert searched(Held, (2,), states_max=500_000, windows=1)[1:] == (True, None)


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("limits", [(1,), (2, 1), (1, 2), (3, 1), (1, 3), (4, 2)], ids=str)
def test_no_order_of_many_events_breaks_a_law(limits):
    assert searched(Held, limits, states_max=300_000).broken is None


class AsksAgain(Held):
    """Takes a lost exchange for one that did not happen."""

    def lost(self):
        self.refused()


class KeepsWhatItGaveBack(Held):
    """Spends on while everything is on its way back."""

    def ask(self, holder_id, *, need, more, closing):
        before = self.left
        asked = super().ask(holder_id, need=need, more=more, closing=closing)
        self.leased = before
        return asked


class GivesBackUnknown(Held):
    """Knows what it holds after a lost exchange, as if it had been answered."""

    def lost(self):
        self.leased = self._before[0]
        self.counted = self.spent = 0


class CountsTwice(Held):
    """Has the granted units both counted and leased."""

    def answered(self, asked, found, sent):
        super().answered(asked, found, sent)
        self.leased += found.granted


class ForgetsTheWindow(Held):
    """Asks of the new window while it holds units of the old one."""

    def _window_over(self, sent):
        super()._window_over(sent)
        self.known = None


class SpendsOnInAnOldWindow(Held):
    """Goes on with what it holds when the window is over, and gives it back with the next window's."""

    def _window_over(self, sent):
        self.known = None


@pytest.mark.parametrize(
    "kind", [AsksAgain, KeepsWhatItGaveBack, GivesBackUnknown, CountsTwice, ForgetsTheWindow, SpendsOnInAnOldWindow]
)
def test_a_protocol_with_a_mistake_is_caught(kind):
    assert searched(kind, (2,), states_max=25_000).broken is not None
