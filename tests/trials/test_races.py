"""Several at once: starts of the same name, more than allowed, and every pair of ends."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from tenantry.kernel import Problem
from tenantry.kernel.database import param, statement
from tenantry.keys import issue, rotate
from tenantry.keys.models import ApiKeys
from tenantry.testing.queries import latest_entries
from tenantry.trials import actions
from tenantry.trials.notices import expire
from trials.owners import inside, owner

_keys = statement(select(ApiKeys.id).where(ApiKeys.holder_id == param("holder")))


async def outcome(action):
    """None, or the code of the refusal, with the state that it names."""
    try:
        await action
    except Problem as problem:
        return problem.code, problem.extra.get("state")
    return None


async def test_200_starts_of_the_same_name_at_once_have_200_slugs(kit):
    people = [await owner(kit) for _ in range(100)]
    made = await asyncio.gather(*(actions.start(one, "Acme") for one in people * 2))
    assert len({one.workspace.slug for one in made}) == 200
    assert [one.workspace.slug for one in made if one.workspace.slug == "acme"] == ["acme"]
    assert {one.workspace.name for one in made} == {"Acme"}


async def test_no_race_gets_past_what_the_product_allows(kit):
    ada = await owner(kit)
    done = await asyncio.gather(*(outcome(actions.start(ada, str(number))) for number in range(12)))
    assert Counter(done) == {None: 3, ("trials.too_many", None): 9}


MOVES = ("convert", "cancel", "expire", "extend")


@pytest.mark.parametrize("first", MOVES)
@pytest.mark.parametrize("second", MOVES)
async def test_of_two_at_once_one_is_in_time(kit, first, second):
    """Whoever comes second is told what the trial is by then; an extension comes before an end, or not at all."""
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    workspace_id = trial.workspace.id
    await issue(await inside(ada, trial), label="robot")
    if "expire" in {first, second}:
        await kit.set_time(trial.workspace.expires_at)
    ways = {
        "convert": lambda: actions.convert(ada, workspace_id),
        "cancel": lambda: actions.cancel(ada, workspace_id),
        "extend": lambda: actions.extend(ada, workspace_id),
        "expire": lambda: expire(kit.system, workspace_id),
    }
    done = await asyncio.gather(*(outcome(ways[name]()) for name in (first, second)))
    found = (await actions.read(ada, workspace_id)).workspace
    if "expire" in {first, second}:
        # Its time was over: nobody comes before that.
        assert found.status == "expired"
        assert [one for one in done if one] == [("trials.not_active", "expired")] * sum(
            name != "expire" for name in (first, second)
        )
    elif first == second == "extend":
        assert sorted(done, key=str) == [("trials.no_more_extensions", None), None]
    else:
        ends = [name for name in (first, second) if name != "extend"]
        assert found.status in {{"convert": "converted", "cancel": "cancelled"}[name] for name in ends}
        lost = [one for one in done if one is not None]
        assert all(one == ("trials.not_active", found.status) for one in lost)
        assert len(lost) == 1 if len(ends) == 2 else len(lost) <= 1
    assert await ends_told(kit, workspace_id) == (0 if first == second == "extend" else 1)
    stamps = [found.converted_at, found.cancelled_at, found.expired_at]
    assert sum(stamp is not None for stamp in stamps) == (found.status != "active")


async def ends_told(kit, workspace_id):
    async with kit.system.service(writes=False) as ctx:
        entries = await latest_entries(ctx.db)
    ends = {"trial.converted", "trial.cancelled", "trial.expired"}
    return sum(one.action in ends and one.subject_id == str(workspace_id) for one in entries)


@pytest.mark.parametrize("end", ["convert", "cancel"])
async def test_no_key_is_left_behind(kit, end):
    """A key that is made while the trial ends goes along, or is not made."""
    for _ in range(5):
        ada = await owner(kit, "standard")
        trial = await actions.start(ada, "Acme")
        working = await inside(ada, trial)
        old = await issue(working, label="old")
        way = actions.convert if end == "convert" else actions.cancel
        done = await asyncio.gather(
            outcome(issue(working, label="new")),
            outcome(rotate(working, old.key.id)),
            outcome(way(ada, trial.workspace.id)),
            outcome(issue(working, label="newer")),
        )
        assert done.pop(2) is None
        assert set(done) <= {None, ("keys.trial_ended", None), ("keys.not_found", None)}
        async with kit.system.service(writes=False) as ctx:
            left = len(await ctx.db.rows(_keys, holder=trial.holder.id))
            taken = len(await ctx.db.rows(_keys, holder=ada.holder.id))
        made = 1 + done.count(None)
        assert (left, taken) == ((0, made) if end == "convert" else (made, 0))


async def test_two_processes_end_it_once(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    await kit.move(timedelta(days=14))
    done = await asyncio.gather(*(expire(kit.system, trial.workspace.id) for _ in range(5)))
    assert sorted(done) == [False] * 4 + [True]
    assert await ends_told(kit, trial.workspace.id) == 1
