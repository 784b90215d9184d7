"""Legal and illegal moves: every state with every move, and long lives of several trials against a small model."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantry.kernel import Problem
from tenantry.keys import issue
from tenantry.testing import AppKit
from tenantry.trials import actions
from tenantry.trials.notices import expire_trials
from trials.acme import trial_product
from trials.owners import call, inside, owner

LENGTH = timedelta(days=14)
STATES = {
    "active": [],
    "converted": ["convert"],
    "cancelled": ["cancel"],
    "over": ["end"],
    "expired": ["end", "job"],
}
LEGAL = {
    ("active", "extend"): "active",
    ("active", "convert"): "converted",
    ("active", "cancel"): "cancelled",
}
TOLD = {"over": "expired"}


async def do(kit, ctx, trial, move):
    """Make a move; answers the code of its refusal."""
    way = {"extend": actions.extend, "convert": actions.convert, "cancel": actions.cancel}.get(move)
    try:
        if way is not None:
            await way(ctx, trial.workspace.id)
        elif move == "end":
            await kit.set_time(trial.workspace.expires_at)
        elif move == "job":
            await expire_trials(kit.system, {})
        elif move == "key":
            await issue(await inside(ctx, trial), label="robot")
    except Problem as problem:
        return problem.code, problem.extra.get("state")
    return None


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("move", ["extend", "convert", "cancel"])
async def test_from_active_to_exactly_one_end(kit, state, move):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    for step in STATES[state]:
        assert await do(kit, ada, trial, step) is None
    before = (await actions.read(ada, trial.workspace.id)).workspace
    refused = await do(kit, ada, trial, move)
    after = (await actions.read(ada, trial.workspace.id)).workspace
    if (state, move) in LEGAL:
        assert (refused, after.state) == (None, LEGAL[state, move])
    else:
        assert refused == ("trials.not_active", TOLD.get(state, state))
        assert after == before


@pytest.mark.parametrize("state", STATES)
async def test_what_stands_stays_whatever_the_job_does(kit, state):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    for step in STATES[state]:
        await do(kit, ada, trial, step)
    before = (await actions.read(ada, trial.workspace.id)).workspace
    await do(kit, ada, trial, "job")
    after = (await actions.read(ada, trial.workspace.id)).workspace
    assert (after.state, after.ended_at) == (before.state, before.ended_at)
    # Whoever read it before the job is told the same as who reads it after.
    assert after.status == after.state


@pytest.mark.parametrize("state", STATES)
async def test_keys_work_exactly_while_it_is_active(kit, program, state):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    key = {"secret": (await issue(await inside(ada, trial), label="robot")).secret}
    assert await call(program, key) == "standard"
    for step in STATES[state]:
        await do(kit, ada, trial, step)
    # At once, in this process.
    told = await call(program, key)
    assert told == {"active": "standard", "converted": "free"}.get(state, "keys.trial_ended")
    refused = await do(kit, ada, trial, "key")
    assert refused == (None if state == "active" else ("keys.trial_ended", None))


MOVES = st.tuples(
    st.integers(0, 2), st.sampled_from(["extend", "convert", "cancel", "job", "key", "wait a day", "wait a week"])
)


class Model:
    """What a trial is to be: its state, its end, how often it was extended."""

    def __init__(self, trial):
        self.trial, self.state, self.extensions = trial, "active", 0
        self.expires_at = trial.workspace.expires_at

    def after(self, move, now):
        """The refusal that the move is to have; the model moves along."""
        if self.state == "active" and self.expires_at <= now:
            self.state = "expired"
        if move == "key":
            return None if self.state == "active" else ("keys.trial_ended", None)
        if move not in {"extend", "convert", "cancel"}:
            return None
        if self.state != "active":
            return "trials.not_active", self.state
        if move == "extend":
            if self.extensions:
                return "trials.no_more_extensions", None
            self.extensions, self.expires_at = 1, self.expires_at + LENGTH
        else:
            self.state = {"convert": "converted", "cancel": "cancelled"}[move]
        return None


@pytest.fixture
def run(database):
    """Runs a coroutine of the application, on a loop of its own: what hypothesis calls is no coroutine."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        kit = runner.run(stack.enter_async_context(AppKit.start(trial_product(), database)))
        yield lambda life: runner.run(life(kit))
        runner.run(stack.aclose())


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(MOVES, min_size=5, max_size=25))
def test_any_life_goes_as_the_model_says(run, moves):
    run(lambda kit: live(kit, moves))


async def live(kit, moves):
    ada = await owner(kit, "standard")
    models = [Model(await actions.start(ada, "Acme")) for _ in range(3)]
    for which, move in moves:
        model = models[which]
        if move.startswith("wait"):
            await kit.move(timedelta(days=1 if "day" in move else 7))
        wanted = model.after(move, kit.clock.now())
        if move == "key" and wanted is None and len((await actions.read(ada, model.trial.workspace.id)).keys) >= 1:
            continue
        assert await do(kit, ada, model.trial, move) == wanted
        for one in models:
            one.after("look", kit.clock.now())
            found = (await actions.read(ada, one.trial.workspace.id)).workspace
            assert (found.state, found.expires_at, found.extensions) == (one.state, one.expires_at, one.extensions)
