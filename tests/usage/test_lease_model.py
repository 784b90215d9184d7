"""The protocol of leases, searched exhaustively: two workers, every order of sending, executing, answering and losing.

A request that was given up may still be executed later, once. A worker may die at any moment. The real `Held` is
driven; the row is a model of the statement, and `test_exchange.py` holds the statement to the same arithmetic.
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
    """The counter: what is settled, what is leased, and the plan's limit."""

    used: int
    leased: int
    limit: int
    largest: int
    """The largest limit that was ever in force."""


class Worker(NamedTuple):
    """What one worker holds, what it sent, and what it will be answered."""

    held: tuple[Any, ...]
    sent: Asked | None = None
    answer: tuple[Asked, int] | None = None


class World(NamedTuple):
    row: Row
    workers: tuple[Worker, ...]
    ghosts: tuple[Asked, ...]
    """Requests that nobody waits for any more, and that may still be executed."""
    admitted: int


FIELDS = ("leased", "counted", "spent", "_before")
EMPTY = Worker((0, 0, 0, (0, 0, 0)))


def thawed(kind: type[Held], worker: Worker) -> Held:
    held = kind(METER, 0.0)
    for name, value in zip(FIELDS, worker.held, strict=True):
        setattr(held, name, value)
    return held


def frozen(held: Held) -> tuple[Any, ...]:
    return tuple(getattr(held, name) for name in FIELDS)


def executed(row: Row, asked: Asked) -> tuple[Row, int]:
    """The statement: see `queries/exchange.py`."""
    free = row.limit - row.used - row.leased + asked.give
    granted = 0 if free < max(asked.need, 0) else min(asked.take, free)
    counted = granted if asked.directly else 0
    used = row.used + asked.settle + counted
    return row._replace(used=used, leased=row.leased - asked.settle - asked.give + granted - counted), granted


def answer_of(granted: int, row: Row) -> Exchanged:
    return Exchanged(
        HOLDER, "requests", "free", row.limit, row.limit, row.used, row.leased, granted, START,
        START + timedelta(days=1), START,
    )  # fmt: skip


def steps(world: World, kind: type[Held], limits: tuple[int, ...]) -> Iterator[World]:
    """Everything that may happen next."""
    for place, worker in enumerate(world.workers):
        for changed, row, ghosts, admitted in of_worker(worker, world, kind):
            workers = (*world.workers[:place], changed, *world.workers[place + 1 :])
            # Which worker is which does not matter.
            yield World(row, tuple(sorted(workers, key=repr)), tuple(sorted(ghosts, key=repr)), admitted)
    for place, ghost in enumerate(world.ghosts):
        row, _ = executed(world.row, ghost)
        yield world._replace(row=row, ghosts=world.ghosts[:place] + world.ghosts[place + 1 :])
    for limit in limits:
        if limit != world.row.limit:
            yield world._replace(row=world.row._replace(limit=limit, largest=max(limit, world.row.largest)))


def of_worker(worker: Worker, world: World, kind: type[Held]) -> Iterator[tuple[Worker, Row, tuple[Asked, ...], int]]:
    row, ghosts, admitted = world.row, world.ghosts, world.admitted
    held = thawed(kind, worker)
    if held.left >= 1:
        held.spent += 1
        yield worker._replace(held=frozen(held)), row, ghosts, admitted + 1
    if worker.sent is None and worker.answer is None:
        for need, more, closing in WAYS_TO_ASK:
            held = thawed(kind, worker)
            asked = held.ask(HOLDER, need=need, more=more, closing=closing)
            yield worker._replace(held=frozen(held), sent=asked), row, ghosts, admitted
    if worker.sent is not None:
        done, granted = executed(row, worker.sent)
        yield worker._replace(sent=None, answer=(worker.sent, granted)), done, ghosts, admitted
        held = thawed(kind, worker)
        held.refused()
        yield Worker(frozen(held)), row, ghosts, admitted
    gone = (*ghosts, worker.sent) if worker.sent else ghosts
    if worker.answer is not None:
        held = thawed(kind, worker)
        held.answered(worker.answer[0], answer_of(worker.answer[1], row), 0.0)
        yield Worker(frozen(held)), row, ghosts, admitted
    if len(gone) <= LOST_MAX:
        if worker.sent is not None or worker.answer is not None:
            held = thawed(kind, worker)
            held.lost()
            yield Worker(frozen(held)), row, gone, admitted
        if worker != EMPTY:
            yield EMPTY, row, gone, admitted  # kill -9, and another worker starts


def searched(kind: type[Held], limits: tuple[int, ...], *, states_max: int) -> tuple[int, str | None]:
    """How many states there are, and the first law that one of them breaks."""
    start = World(Row(0, 0, limits[0], limits[0]), (EMPTY, EMPTY), (), 0)
    seen, ahead = {start}, [start]
    while ahead and len(seen) < states_max:
        following = []
        for world in ahead:
            for found in steps(world, kind, limits):
                if found not in seen:
                    if broken := law_broken(found):
                        return len(seen), broken
                    seen.add(found)
                    following.append(found)
        ahead = following
    return len(seen), None


def law_broken(world: World) -> str | None:
    row = world.row
    if world.admitted > row.largest:
        return "I1: more admitted than the largest limit in force"
    if row.used < 0 or row.leased < 0:
        return "I2: a count below nothing"
    if row.used + row.leased > row.largest:
        return "I2: more counted than the largest limit in force"
    if world.admitted > row.used + row.leased:
        return "I2: more admitted than counted"
    return None


@pytest.mark.parametrize("limits", [(1,), (2,), (2, 1), (1, 2)])
def test_no_order_of_events_breaks_a_law(limits):
    states, broken = searched(Held, limits, states_max=25_000)
    assert broken is None
    assert states > 500


@pytest.mark.deep
@pytest.mark.parametrize("limits", [(3,), (3, 1), (1, 3), (4, 2)])
def test_no_order_of_events_breaks_a_law_at_larger_limits(limits):
    _, broken = searched(Held, limits, states_max=300_000)
    assert broken is None


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


@pytest.mark.parametrize("kind", [AsksAgain, KeepsWhatItGaveBack, GivesBackUnknown, CountsTwice])
def test_a_protocol_with_a_mistake_is_caught(kind):
    _, broken = searched(kind, (2,), states_max=25_000)
    assert broken is not None
