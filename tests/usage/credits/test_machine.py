"""Grants, spendings, reservations, refunds and an operator's hand, in any order: the ledger is right after each.

A model in plain Python does the same beside it. After every step, by the rows of the database: the sum of the entries
is what is left of all grants and what the last entry says; nothing is negative; what expires first went first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import select

from tenantry import Credits, Google, Plan, Product
from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.testing import START, AppKit, TestDatabase
from tenantry.usage.credits import (
    CreditsInsufficient,
    balance,
    grant,
    release,
    reserve,
    revoke,
    set_balance,
    settle,
    spend,
)
from tenantry.usage.credits.errors import CreditReservationConflict, CreditsSpentOtherwise
from tenantry.usage.credits.granting import Kept, keep
from tenantry.usage.credits.models import CreditEntries, CreditGrants
from tenantry.usage.credits.upkeep import expire_credits
from usage.people import person

PRODUCT = Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0)], credits=Credits("tokens"))
STEPS = 30
amounts = st.sampled_from([1, 3, 10, 40, 100])
hours = st.sampled_from([None, None, -1, 1, 2, 24, 48])
picks = st.integers(0, 9)
_entries = statement(
    select(CreditEntries.number, CreditEntries.amount, CreditEntries.balance_after, CreditEntries.parts)
    .where(CreditEntries.holder_id == param("holder"))
    .order_by(CreditEntries.number),
    lambda *row: row,
)
_grants = statement(
    select(CreditGrants.fact, CreditGrants.amount, CreditGrants.remaining, CreditGrants.revoked).where(
        CreditGrants.holder_id == param("holder")
    ),
    lambda *row: row,
)


@dataclass
class Lot:
    """A grant, as the model knows it."""

    fact: str
    amount: int
    left: int
    ends: datetime | None
    revoked: int = 0
    order: int = 0


@dataclass
class Aside:
    """A reservation, as the model knows it."""

    id: UUID
    amount: int
    ends: datetime
    status: str = "held"
    used: int | None = None


class World:
    """The application, shared by all runs: each has a person of its own."""

    def __init__(self, kit: AppKit, run: Callable[[Awaitable[Any]], Any]) -> None:
        self.kit, self.run = kit, run


class Ledger(RuleBasedStateMachine):
    """What happens to one holder's credits."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.kit = world, world.kit
        self.lots: dict[str, Lot] = {}
        self.asides: list[Aside] = []
        self.spent: dict[str, int] = {}
        self.facts = 0

    @property
    def now(self) -> datetime:
        return self.kit.clock.now()

    def live(self) -> list[Lot]:
        found = [one for one in self.lots.values() if one.left and (one.ends is None or one.ends > self.now)]
        return sorted(found, key=lambda one: (one.ends is None, one.ends or self.now, one.order))

    def balance(self) -> int:
        return sum(one.left for one in self.live())

    def aside(self) -> int:
        return sum(one.amount for one in self.asides if one.status == "held" and one.ends > self.now)

    def free(self) -> int:
        return max(0, self.balance() - self.aside())

    def forget(self) -> None:
        """What has expired does not come back, whatever is said of its end later."""
        for one in self.lots.values():
            if one.ends is not None and one.ends <= self.now:
                one.left = 0

    def take(self, amount: int) -> None:
        for one in self.live():
            part = min(one.left, amount)
            one.left, amount = one.left - part, amount - part
        assert amount == 0

    def end_of(self, after: int | None) -> datetime | None:
        return None if after is None else self.now + timedelta(hours=after)

    async def served(self, act: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        async with self.kit.system.service() as ctx:
            return await act(ctx, self.holder, *given, **named)

    def told(self, act: Awaitable[Any]) -> Any:
        async def ask() -> Any:
            try:
                return await act
            except (CreditsInsufficient, CreditReservationConflict, CreditsSpentOtherwise) as refused:
                return refused

        return self.world.run(ask())

    @initialize()
    def begin(self) -> None:
        self.world.run(self.kit.set_time(START))
        self.ctx = self.world.run(person(self.kit, "free"))
        self.holder = self.ctx.holder.id

    @rule(amount=amounts, after=hours, again=st.booleans())
    def grant(self, amount: int, after: int | None, again: bool) -> None:
        self.forget()
        known = sorted(one for one in self.lots if one.startswith("fact"))
        fact = known[-1] if again and known else f"fact:{len(self.lots)}"
        ends_at = self.end_of(after)
        made = self.world.run(self.served(grant, amount, fact=fact, expires_at=ends_at))
        if fact not in self.lots:
            gone = ends_at is not None and ends_at <= self.now
            self.lots[fact] = Lot(fact, amount, 0 if gone else amount, ends_at, order=len(self.lots))
        assert (made.amount, made.remaining) == (self.lots[fact].amount, self.lots[fact].left)

    @rule(amount=amounts, after=hours, share=st.sampled_from([0, 0, 0, 1, 2, 3]), number=st.integers(0, 2))
    def keep(self, amount: int, after: int | None, share: int, number: int) -> None:
        """A period: of so much by now, so much of it refunded; a new one ends those before it."""
        self.forget()
        fact, ends_at = f"period:{number}", self.end_of(after)
        wanted = Kept(fact, amount, "period", ends_at, Fraction(share, 3), series="period", begins_at=self.now)
        self.world.run(self.served(keep, [wanted]))
        for one in self.lots.values():
            if one.fact.startswith("period:") and one.fact != fact:
                one.left = 0
                one.ends = min(one.ends or self.now, self.now)
        lot = self.lots.setdefault(fact, Lot(fact, 0, 0, ends_at, order=len(self.lots)))
        lot.ends = ends_at
        lot.left += max(0, amount - lot.amount)
        lot.amount = max(lot.amount, amount)
        self.forget()
        self.take_back(lot, Fraction(share, 3))

    def take_back(self, lot: Lot, share: Fraction) -> None:
        asked = int(lot.amount * share)
        lot.left -= min(lot.left, max(0, asked - lot.revoked))
        lot.revoked = max(lot.revoked, asked)

    @rule(which=picks, share=st.sampled_from([0, 1, 2, 3]))
    @precondition(lambda self: self.lots)
    def revoke(self, which: int, share: int) -> None:
        self.forget()
        lot = sorted(self.lots.values(), key=lambda one: one.order)[which % len(self.lots)]
        if lot.fact.startswith("hand"):
            return
        told = self.world.run(self.served(revoke, lot.fact, Fraction(share, 3)))
        self.take_back(lot, Fraction(share, 3))
        assert (told.remaining, told.revoked) == (lot.left, lot.revoked)

    @rule(amount=st.sampled_from([0, 5, 70]), after=hours)
    def set_by_hand(self, amount: int, after: int | None) -> None:
        self.forget()
        ends_at = self.end_of(after)
        self.world.run(self.served(set_balance, amount, expires_at=ends_at, reason="because"))
        for one in self.lots.values():
            one.left = 0
        if amount:
            self.lots[f"hand:{len(self.lots)}"] = Lot("hand", amount, amount, ends_at, order=len(self.lots))
            self.forget()

    @rule(amount=amounts, reference=st.sampled_from([None, None, "a", "b"]))
    def spend(self, amount: int, reference: str | None) -> None:
        self.forget()
        fits, before = amount <= self.free(), self.spent.get(reference or "")
        told = self.told(spend(self.ctx, amount, reference=reference))
        if before is not None:
            assert isinstance(told, CreditsSpentOtherwise) if before != amount else told.amount == amount
            return
        assert isinstance(told, CreditsInsufficient) != fits
        if fits:
            self.take(amount)
            assert told.balance == self.balance()
            if reference:
                self.spent[reference] = amount

    @rule(amount=amounts, minutes=st.sampled_from([10, 90, 3000]))
    def reserve(self, amount: int, minutes: int) -> None:
        self.forget()
        name, lasts = new_id(), timedelta(minutes=minutes)
        fits = amount <= self.free()
        told = self.told(reserve(self.ctx, amount, expires_in=lasts, reservation_id=name))
        assert isinstance(told, CreditsInsufficient) != fits
        if fits:
            self.asides.append(Aside(name, amount, self.now + lasts))
            assert self.told(reserve(self.ctx, amount, expires_in=lasts, reservation_id=name)) == told

    @rule(which=picks, used=st.sampled_from([0, 1, 10, 50, 200]))
    @precondition(lambda self: self.asides)
    def settle(self, which: int, used: int) -> None:
        self.forget()
        one = self.asides[which % len(self.asides)]
        told = self.told(settle(self.ctx, one.id, used))
        if one.status in {"settled", "released"}:
            is_same = (one.status, one.used) == ("settled", used)
            assert isinstance(told, CreditReservationConflict) != is_same
            return
        own = one.amount if one.ends > self.now else 0
        others = self.aside() - own
        taken = min(used, max(min(own, self.balance()), self.balance() - others, 0))
        self.take(taken)
        one.status, one.used = "settled", used
        assert (told.settled, told.missing) == (taken, used - taken)

    @rule(which=picks)
    @precondition(lambda self: self.asides)
    def release(self, which: int) -> None:
        one = self.asides[which % len(self.asides)]
        told = self.told(release(self.ctx, one.id))
        assert isinstance(told, CreditReservationConflict) == (one.status == "settled")
        one.status = "released" if one.status != "settled" else one.status

    @rule(by=st.sampled_from([5, 60, 61, 26 * 60]))
    def wait(self, by: int) -> None:
        self.world.run(self.kit.move(minutes=by))

    @rule()
    def expire(self) -> None:
        self.world.run(expire_credits(self.kit.system, {}))

    @invariant()
    def the_ledger_is_right(self) -> None:
        if not hasattr(self, "ctx"):
            return

        async def read() -> Any:
            async with self.ctx.service(writes=False) as reading:
                return (
                    await reading.db.rows(_entries, holder=self.holder),
                    await reading.db.rows(_grants, holder=self.holder),
                )

        entries, grants = self.world.run(read())
        running = 0
        for place, (number, amount, after, parts) in enumerate(entries, 1):
            running += amount
            assert (number, after) == (place, running)
            assert running >= 0
            assert not parts or sum(parts.values()) == -amount
        assert running == sum(left for _, _, left, _ in grants)
        found = self.world.run(balance(self.ctx))
        live = self.live()
        assert found.balance == self.balance()
        assert found.available == self.free()
        assert found.next_expiry == (live[0].ends if live else None)
        # Not yet written out may be more than the model has, never less, and lot by lot the same of what is live.
        left = {fact: remaining for fact, _, remaining, _ in grants if not fact.startswith("admin:")}
        for one in live:
            assert one.fact == "hand" or left[one.fact] == one.left, one


@pytest.fixture
def world(database: TestDatabase) -> Iterator[World]:
    """The application on a loop of its own: the machine's steps are no coroutines."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        kit = runner.run(stack.enter_async_context(AppKit.start(PRODUCT, database)))
        yield World(kit, runner.run)
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(12, STEPS), pytest.param(500, 60, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_the_ledger_sums_to_the_balance_after_every_step(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if steps > STEPS else [])],
    )
    run_machine(lambda: Ledger(world), settings=chosen)
