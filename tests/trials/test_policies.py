"""Who sees a trial: its owner. Nobody writes one but the service login; what one takes along holds what is there."""

import json
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import insert, update

from tenantry.kernel.database import param, statement
from tenantry.kernel.policies import PolicyRefused
from tenantry.keys import issue
from tenantry.trials import actions, queries
from tenantry.trials.errors import TrialNotFound
from tenantry.trials.models import TrialWorkspaces
from tenantry.trials.module import MODULE
from tenantry.usage import Leases, decide
from trials.acme import calls
from trials.owners import inside, owner

_rename = statement(update(TrialWorkspaces).where(TrialWorkspaces.id == param("workspace")).values(name="mine"))
_add = statement(
    insert(TrialWorkspaces).values({one: param(one) for one in ("id", "user_id", "name", "slug", "expires_at")})
)


async def test_a_neighbour_sees_nothing(kit):
    ada, grace = await owner(kit), await owner(kit)
    trial = await actions.start(ada, "Acme")
    await issue(await inside(ada, trial), label="robot")
    reading = grace.reading()
    # Even when asked for as its owner's: the policy goes by who asks.
    for whose in (ada.user_id, grace.user_id):
        assert await queries.page(reading.db, whose, status=None, before=None, limit=10) == []
        assert await queries.one(reading.db, whose, trial.workspace.id) is None
        assert await queries.windows(reading.db, whose) == []
    own = await queries.page(ada.reading().db, ada.user_id, status="active", before=None, limit=10)
    assert [len(one.keys) for one in own] == [1]


@pytest.mark.parametrize("move", [actions.extend, actions.cancel, actions.convert, actions.read])
async def test_a_neighbour_moves_nothing(kit, move):
    ada, grace = await owner(kit), await owner(kit)
    trial = await actions.start(ada, "Acme")
    with pytest.raises(TrialNotFound):
        await move(grace, trial.workspace.id)
    assert (await actions.read(ada, trial.workspace.id)).workspace == trial.workspace


async def test_its_owner_does_not_write_it_either(kit):
    ada = await owner(kit)
    trial = await actions.start(ada, "Acme")
    given = {"id": UUID(int=1), "user_id": ada.user_id, "name": "x", "slug": "x", "expires_at": kit.clock.now()}
    for wanted, values in ((_rename, {"workspace": trial.workspace.id}), (_add, given)):
        with pytest.raises(PolicyRefused):
            async with ada.unit() as working:
                await working.db.run(wanted, **values)


async def test_one_takes_along_ones_trials_their_keys_and_what_they_used(kit):
    ada, grace = await owner(kit), await owner(kit)
    for one in (ada, grace):
        trial = await actions.start(one, "Acme")
        working = await inside(one, trial)
        key = (await issue(working, label="robot")).key
        for _ in range(3):
            await decide(working, trial.holder.id, calls)
    await kit.runtime.port(Leases).settle()
    reading = grace.reading()
    told = {one.name: json.loads(msgspec.json.encode(await one.collect(reading))) for one in MODULE.exports}
    (found,) = told["trials"]
    assert (found["workspace"]["name"], found["holder"]["plan"]) == ("Acme", "standard")
    assert [one["id"] for one in found["keys"]] == [str(key.id)]
    (used,) = told["trial_usage"]
    assert (used["workspace_id"], used["meter"], used["used"]) == (str(trial.workspace.id), "calls", 3)
