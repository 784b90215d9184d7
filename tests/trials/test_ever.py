"""`Trials.ever`: how many trials a person starts in all, whatever became of them. Each begins with its whole quota."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from tenantry import Trials
from tenantry.kernel import Problem
from tenantry.trials import actions
from trials.acme import trial_product
from trials.owners import begin, call, give_key, move, owner

REFUSED = (409, "trials.no_more")


@pytest.fixture
async def kit(start):
    return await start(trial_product(trials=Trials("free", most=2, ever=3)))


async def ask(client):
    answer = await client.post("/v1/trials", json={"name": "one more"})
    return answer.status_code, answer.json().get("code")


async def test_a_trial_begins_with_its_whole_quota_whatever_another_used(kit, ada, program):
    """What `ever` is for: without it somebody starts, uses up, cancels, and starts again, for as long as they like."""
    for number in range(3):
        made = await begin(ada, str(number))
        key = await give_key(ada, made)
        assert [await call(program, key) for _ in range(6)] == ["free"] * 5 + ["usage.quota_exceeded"]
        assert (await move(ada, made, "cancel"))[0] == 200
    assert await ask(ada) == REFUSED


async def test_409_however_the_others_ended(kit, ada):
    first, second = await begin(ada, "first"), await begin(ada, "second")
    assert await ask(ada) == (409, "trials.too_many")
    await move(ada, first, "cancel")
    await move(ada, second, "convert")
    await begin(ada, "third")
    refused = await ada.post("/v1/trials", json={"name": "fourth"})
    assert (refused.status_code, refused.json()["code"]) == REFUSED
    assert (refused.json()["ever"], refused.json()["started"]) == (3, 3)
    assert refused.json()["title"] == "You have started as many trial workspaces as a person may."
    # Neither time nor the job gives one back.
    await kit.move(timedelta(days=15))
    assert await ask(ada) == REFUSED
    await kit.runtime.jobs["trials.expire"].run(kit.system, {})
    assert await ask(ada) == REFUSED
    assert len((await ada.get("/v1/trials")).json()["items"]) == 3
    # It is hers alone.
    await begin(await kit.sign_in("grace"))


async def test_the_page_says_so(kit, ada):
    for number in range(3):
        await move(ada, await begin(ada, str(number)), "cancel")
    shown = await ada.post("/trials", data={"name": "fourth"}, headers={"Accept": "text/html"})
    assert shown.status_code == 409
    assert "You have started as many trial workspaces as a person may." in shown.text


async def test_no_race_gets_past_it(start):
    kit = await start(trial_product(trials=Trials("free", ever=3)))
    ada = await owner(kit)

    async def outcome(number):
        try:
            await actions.start(ada, str(number))
        except Problem as problem:
            return problem.code
        return None

    assert Counter(await asyncio.gather(*map(outcome, range(12)))) == {None: 3, "trials.no_more": 9}


async def test_without_it_anybody_starts_as_many_as_they_like(start):
    kit = await start(trial_product(trials=Trials("free", most=1)))
    ada = await kit.sign_in("ada")
    for number in range(6):
        assert (await move(ada, await begin(ada, str(number)), "cancel"))[0] == 200
