"""Reservations beside calls: the steps that `test_state_machine.py` takes with them.

A reservation takes units like a call; whatever it used is counted once, however often and in whatever order somebody
says so, releases it, or lets its time pass.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tenantry import Meter
from tenantry.kernel import new_id
from tenantry.usage import QuotaExceeded, reservations
from tenantry.usage.errors import ReservationConflict, ReservationNotFound
from usage.lease_world import Row, Worker
from usage.quota_machine import Account, Key, Quotas, meters, places, whose

picks = st.integers(0, 9)
figures = st.sampled_from([0, 1, 3, 10, 30, 100, 2000])


@dataclass
class Kept:
    """A reservation, as the test knows it. `counts`: the units of it that count in its window now."""

    id: UUID
    holder: Account
    meter: Meter
    key: Key
    start: datetime
    units: int
    on_expiry: str
    expires_at: datetime
    status: str = "held"
    counts: int = 0


class QuotasAndReservations(Quotas):
    """See the module's text."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.kept: list[Kept] = []

    @rule(
        place=places,
        which=whose,
        meter=meters,
        units=st.sampled_from([1, 3, 10, 30, 200, 1500]),
        seconds=st.sampled_from([1, 2, 60, 100_000]),
        on_expiry=st.sampled_from(["settle", "release"]),
    )
    def reserve(self, place: int, which: int, meter: Meter, units: int, seconds: int, on_expiry: str) -> None:
        worker, holder = self.workers[place], self.holders[which]
        if worker and not worker.wire.held:
            worker.wire.hurry()
            self.world.run(self._reserve(worker, holder, (meter, units), (seconds, on_expiry)))

    async def _reserve(self, worker: Worker, holder: Account, what: tuple[Meter, int], terms: tuple[int, str]) -> None:
        (meter, units), (seconds, on_expiry), before = what, terms, await self._rows()
        wanted: dict[str, Any] = {"holder_id": holder.id, "reservation_id": new_id(), "on_expiry": on_expiry}
        length = timedelta(seconds=seconds)
        try:
            made = await reservations.reserve(worker.ctx, meter, units, expires_in=length, **wanted)
        except QuotaExceeded as refused:
            key = (holder.id, meter.name, refused.extra["reset_at"])
            total = max(rows[key].total if key in rows else 0 for rows in (before, await self._rows()))
            assert total + units > holder.limit(meter.name), "I3: no reservation, though it fits"
            return
        except LookupError:
            assert holder.is_gone
            return
        again = await reservations.reserve(worker.ctx, meter, units, expires_in=length, **wanted)
        assert again == made, "the same reservation was made twice"
        row = next(
            row
            for row in (await self._rows()).values()
            if (row.holder, row.meter, row.start) == (made.holder_id, made.meter, made.window_start)
        )
        self.admitted[row.key] += units
        self.kept.append(
            Kept(made.id, holder, meter, row.key, row.start, units, on_expiry, made.expires_at, counts=units)
        )

    @rule(which=picks, actual=figures)
    def settle_reservation(self, which: int, actual: int) -> None:
        if self.kept:
            self.world.run(self._end_one(self.kept[-1 - which % len(self.kept)], actual))

    @rule(which=picks)
    def release_reservation(self, which: int) -> None:
        if self.kept:
            self.world.run(self._end_one(self.kept[-1 - which % len(self.kept)], None))

    async def _end_one(self, kept: Kept, actual: int | None) -> None:
        becomes = ("released", 0) if actual is None else ("settled", actual)
        try:
            await self._say(kept, actual)
        except ReservationNotFound:
            assert kept.holder.is_gone
        except ReservationConflict:
            assert kept.status in {"settled", "released"}
            assert (kept.status, kept.counts) != becomes, "the same word was refused the second time"
        else:
            assert kept.status in {"held", "expired"} or (kept.status, kept.counts) == becomes
            self._count(kept, *becomes)

    async def _say(self, kept: Kept, actual: int | None) -> None:
        if actual is None:
            await reservations.release(self.world.kit.system, kept.id)
        else:
            await reservations.settle(self.world.kit.system, kept.id, actual)

    @rule(which=picks, actual=figures)
    def end_reservation_at_once(self, which: int, actual: int) -> None:
        """Somebody settles it, somebody releases it, and its time may be over, all at the same moment: one of them."""

        async def ended(kept: Kept) -> None:
            words = (actual, None, actual)
            *said, _ = await asyncio.gather(
                *(self._say(kept, word) for word in words), self._expire(), return_exceptions=True
            )
            for error in said:
                assert error is None or isinstance(error, ReservationConflict | ReservationNotFound), repr(error)
            done = {
                becomes for becomes, error in zip(("settled", "released", "settled"), said, strict=True) if not error
            }
            assert len(done) == (0 if kept.holder.is_gone else 1), "settled and released"
            if done:
                self._count(kept, *(("settled", actual) if "settled" in done else ("released", 0)))

        open_ones = [kept for kept in self.kept if kept.status in {"held", "expired"}]
        if open_ones:
            self.world.run(ended(open_ones[-1 - which % len(open_ones)]))

    @rule()
    def expire_reservations(self) -> None:
        self.world.run(self._expire())

    async def _expire(self) -> None:
        now = self.world.kit.clock.now()
        await reservations.expire_reservations(self.world.kit.system, {})
        for kept in self.kept:
            if kept.status == "held" and kept.expires_at <= now:
                self._count(kept, "expired", kept.units if kept.on_expiry == "settle" else 0)

    def _count(self, kept: Kept, status: str, counts: int) -> None:
        self.admitted[kept.key] += counts - kept.counts
        kept.status, kept.counts = status, counts

    def held_in(self, row: Row) -> int:
        return sum(kept.units for kept in self.kept if kept.key == row.key and kept.status == "held")
