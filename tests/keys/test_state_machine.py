"""Keys, bans, trials, plans, quota and time in any order: every answer is the one that a plain model gives.

In two processes. What a process did itself it knows at once; the other one is asked when it was told.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from keys.asked import FAULTS
from keys.key_model import ALWAYS, GRACE, LENGTH, LIMITS, PACE, Key, Pace, Person, Trial, faults
from keys.key_world import World, bill, prove, put_on, suspend
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.kernel import Problem
from tenantry.keys import revoke, rotate
from tenantry.testing import TestDatabase
from tenantry.trials import cancel, convert, extend

RUNS = 12
PROCESS, WHO, WHICH = st.integers(0, 1), st.integers(0, 1), st.integers(0, 5)
PLANS, HOURS = st.sampled_from([*reversed(LIMITS)]), st.sampled_from([0.5, 1.0, 3.0])


class Authorizing(RuleBasedStateMachine):
    """Two people with keys and trials; the address of one of them is not proven yet."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.run, self.pace = world, world.run, Pace()
        self.people = [self.run(world.born(proven=proven)) for proven in (True, False)]
        for who, person in enumerate(self.people):
            self.start_trial(at=0, who=who)
            for holding in person.holdings():
                person.keys.append(self.run(world.issue(0, person, holding, scoped=who == 0, tier=None)))

    def teardown(self) -> None:
        self.look_at_the_books()

    @rule(at=PROCESS, who=WHO, whose=st.integers(0, 2), scoped=st.booleans(), tier=st.sampled_from([None, "free"]))
    def issue(self, at: int, who: int, whose: int, scoped: bool, tier: str | None) -> None:
        person = self.people[who]
        holdings = person.holdings()
        holding = holdings[-1 - whose % len(holdings)]
        trial = person.trial_of(holding)
        if not person.may_act(self.world.now):
            return
        is_over = trial is not None and trial.state(self.world.now) != "active"
        made = self.done(
            self.world.issue(at, person, holding, scoped=scoped, tier=tier), "keys.trial_ended" if is_over else None
        )
        person.keys += [made] if made else []

    @rule(at=PROCESS, who=WHO, which=WHICH)
    def revoke(self, at: int, who: int, which: int) -> None:
        key = self.key(who, which)
        if key.person.may_act(self.world.now):
            self.done(self.of_key(revoke, at, key))
            self.world.changed(at)
            key.revoked = True

    @rule(at=PROCESS, who=WHO, which=WHICH)
    def rotate(self, at: int, who: int, which: int) -> None:
        key, now = self.key(who, which), self.world.now
        if not key.person.may_act(now):
            return
        made = self.done(self.of_key(rotate, at, key, grace=GRACE), key.refused_rotation(now))
        if made is None:
            return
        self.world.changed(at)
        waits = key.holding is key.person.own and not key.person.proven
        key.person.keys.append(
            Key(made.secret, made.key.id, key.person, key.holding, key.scoped, key.tier, waits, key.ends)
        )
        key.followed, key.ends = True, min(key.ends or ALWAYS, now + GRACE)

    @rule(at=PROCESS, who=WHO, hours=st.sampled_from([None, 0.5, 3.0]))
    def ban(self, at: int, who: int, hours: float | None) -> None:
        person = self.people[who]
        ends = None if hours is None else self.world.now + timedelta(hours=hours)
        self.run(self.world.operate(at, ban_user, person.id, reason="test", ends=ends))
        person.banned = ends or ALWAYS

    @rule(at=PROCESS, who=WHO)
    def lift_ban(self, at: int, who: int) -> None:
        person = self.people[who]
        if person.is_banned(self.world.now):
            self.run(self.world.operate(at, lift_ban, person.id, reason="test"))
            person.banned = None

    @rule(at=PROCESS, who=WHO, sure=st.integers(0, 7))
    def delete_account(self, at: int, who: int, sure: int) -> None:
        person = self.people[who]
        # Now and then: nothing of theirs works any more.
        if not person.deleted and sure == 7:
            self.run(self.world.operate(at, delete_user, person.id, reason="test"))
            person.deleted = True

    @rule(at=PROCESS, who=WHO, was_here=st.booleans())
    def prove_address(self, at: int, who: int, was_here: bool) -> None:
        person = self.people[who]
        if not person.deleted and not person.proven:
            self.run(self.world.operate(at, prove, person.id, was_here=was_here))
            person.prove(was_here=was_here)

    @rule(at=PROCESS, who=WHO, is_so=st.booleans())
    def suspend(self, at: int, who: int, is_so: bool) -> None:
        own = self.people[who].own
        self.run(self.world.operate(at, suspend, own.id, is_so=is_so))
        own.suspended = is_so

    @rule(at=PROCESS, who=WHO, plan=PLANS)
    def change_plan(self, at: int, who: int, plan: str) -> None:
        own = self.people[who].own
        self.run(self.world.operate(at, put_on, own.id, plan))
        own.put_on(plan)

    @rule(at=PROCESS, who=WHO, plan=PLANS, hours=HOURS, after=PLANS)
    def pay_until(self, at: int, who: int, plan: str, hours: float, after: str) -> None:
        own, ends = self.people[who].own, self.world.now + timedelta(hours=hours)
        self.run(self.world.operate(at, bill, own.id, plan, ends, after))
        own.put_on(plan, ends, after)

    @rule(at=PROCESS, who=WHO)
    def start_trial(self, at: int, who: int) -> None:
        person = self.people[who]
        if person.may_act(self.world.now):
            made = self.done(self.world.start(at, person), person.refused_start(self.world.now))
            person.trials += [made] if made else []

    @rule(at=PROCESS, who=WHO, which=WHICH, move=st.sampled_from(["extend", "cancel"]))
    def move_trial(self, at: int, who: int, which: int, move: str) -> None:
        person, now = self.people[who], self.world.now
        trial = self.trial(who, which)
        if not person.may_act(now):
            return
        refused = trial.refused(move, now)
        self.done(self.of_trial(extend if move == "extend" else cancel, at, person, trial), refused)
        self.world.changed(at)
        if refused is None and move == "extend":
            trial.ends, trial.extensions = trial.ends + LENGTH, trial.extensions + 1
        elif refused is None:
            trial.status = "cancelled"

    @rule(at=PROCESS, who=WHO, which=WHICH, plan=st.sampled_from([None, "trial", "pro"]))
    def convert_trial(self, at: int, who: int, which: int, plan: str | None) -> None:
        person, now = self.people[who], self.world.now
        trial = self.trial(who, which)
        if not person.may_act(now):
            return
        refused = person.refused_conversion(trial, plan, now)
        self.done(self.of_trial(convert, at, person, trial, plan=plan), refused)
        self.world.changed(at)
        if refused is None:
            person.convert(trial, plan, now)

    @rule(at=PROCESS)
    def expire_trials(self, at: int) -> None:
        self.run(self.world.expire(at))
        for trial in (trial for person in self.people for trial in person.trials):
            trial.status = trial.state(self.world.now)

    @rule(hours=HOURS)
    def time_passes(self, hours: float) -> None:
        self.run(self.world.kits[0].move(hours=hours))
        self.pace.forget()

    @rule(
        at=PROCESS, who=WHO, which=WHICH, cost=st.integers(1, 4), scoped=st.booleans(), over_http=st.booleans(),
        times=st.integers(1, 4),
    )  # fmt: skip
    def call(self, at: int, who: int, which: int, cost: int, scoped: bool, over_http: bool, times: int) -> None:
        for _ in range(times):
            self.call_once(at, self.key(who, which), cost, scoped=scoped, over_http=over_http)

    def call_once(self, at: int, key: Key, cost: int, *, scoped: bool, over_http: bool) -> None:
        now = self.world.now
        is_paced = self.pace.is_kept(at, key, now)
        expected = next(faults(key, cost, now, scoped=scoped, is_paced=is_paced), None)
        code, figure = self.run(self.world.call(at, key, cost, scoped=scoped, over_http=over_http))
        assert code == expected
        self.world.met[code] += 1
        key.logged += over_http
        if expected in {None, "usage.quota_exceeded"}:
            # Who asks for more than is left has called, too.
            self.pace.came(at, key, now)
        if expected is None:
            used, limit = key.holding.used, LIMITS[key.plan_at(now)]
            used[now.date()] += cost
            assert used[now.date()] <= limit
            assert figure == (limit - used[now.date()] if over_http else used[now.date()])

    @rule(at=PROCESS, who=WHO, which=WHICH, cost=st.integers(1, 4), over_http=st.booleans())
    def use_up(self, at: int, who: int, which: int, cost: int, over_http: bool) -> None:
        """Until the pace or the quota says no, in one process and then in the other."""
        key = self.key(who, which)
        for process in (at, 1 - at):
            for _ in range(PACE.calls + 1):
                self.call_once(process, key, cost, scoped=False, over_http=over_http)

    @rule()
    def look_at_the_books(self) -> None:
        """No call was admitted that is not counted, no refused one was; keys and calls are whose the model says."""
        self.run(self.world.settled())
        self.run(self.world.written())
        for person in self.people:
            for holding in person.holdings():
                assert self.run(self.world.used(holding)) == holding.used[self.world.now.date()]
                keys = {key.id for key in person.keys if key.holding is holding}
                assert self.run(self.world.kept(holding)) == keys
            for key in person.keys:
                assert self.run(self.world.logged(key)) == key.logged

    @rule()
    def hear(self) -> None:
        """What was done reaches both processes."""
        self.run(self.world.arrived())

    @invariant()
    def every_process_knows_every_key(self) -> None:
        """But for what it was not told yet."""
        now, keys = self.world.now, [key for person in self.people for key in person.keys]
        expected = [next(faults(key, 0, now, scoped=False, is_paced=True), key.plan_at(now)) for key in keys]
        for process in self.world.informed():
            assert [self.run(self.world.look(process, key)) for key in keys] == expected

    @invariant()
    def trials_stand_as_the_model_says(self) -> None:
        now = self.world.now
        for person in self.people:
            found = self.run(self.world.stand(person))
            assert found.keys() == {trial.id for trial in person.trials}
            for trial in person.trials:
                one = found[trial.id]
                assert (one.status, one.state, one.extensions) == (trial.status, trial.state(now), trial.extensions)
                assert trial.status == "converted" or one.expires_at == trial.ends

    def done(self, doing: Awaitable[Any], refused: str | None = None) -> Any:
        """Do it; None when it is refused, which is to be for this reason."""
        if refused is None:
            return self.run(doing)
        with pytest.raises(Problem) as problem:
            self.run(doing)
        assert problem.value.code == refused
        return None

    async def of_key(self, do: Any, at: int, key: Key, **given: Any) -> Any:
        return await do(await self.world.as_person(at, key.person, key.holding), key.id, **given)

    async def of_trial(self, do: Any, at: int, person: Person, trial: Trial, **given: Any) -> Any:
        return await do(await self.world.as_person(at, person, person.own), trial.id, **given)

    def key(self, who: int, which: int) -> Key:
        keys = self.people[who].keys
        return keys[-1 - which % len(keys)]

    def trial(self, who: int, which: int) -> Trial:
        trials = self.people[who].trials
        return trials[-1 - which % len(trials)]


@pytest.fixture
def world(database: TestDatabase) -> Iterator[World]:
    """On a loop of its own: the machine's steps are no coroutines."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        yield runner.run(World.build(stack, database, runner.run))
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(RUNS, 30), pytest.param(400, 60, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_every_answer_is_the_models(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # To make a failure small takes minutes, which the long run has.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if runs > RUNS else [])],
    )
    run_state_machine_as_test(lambda: Authorizing(world), settings=chosen)
    assert world.met[None] > (runs if runs > RUNS else 0)
    if runs > RUNS:
        assert set(FAULTS) < world.met.keys()
