"""What keys, the interface and the pages tell past `plan_until`: the plan that follows, though nobody wrote it down."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from kernel.hearing import until
from keys.asked import PATH, Shown, bearer, service_secret, shown
from keys.conftest import calls, keyed_product
from tenantry.holders import set_plan
from tenantry.holders.billed import Billed, set_billed
from tenantry.kernel.notices import Notices
from tenantry.keys import KnownKeys
from tenantry.testing import AppKit
from tenantry.usage import decide

WHILE = 1800
"""Seconds: less than a session lasts."""


@pytest.fixture
async def key(kit: AppKit, ada: Any) -> Shown:
    return await shown(kit, ada)


@pytest.fixture
async def other(kit: AppKit, start: Any) -> AppKit:
    """Another process, of the same time."""
    started: AppKit = await start(keyed_product(), clock=kit.clock)
    return started


async def bill(kit: AppKit, key: Shown, plan: str, after: str, seconds: float = WHILE) -> datetime:
    """Let what is paid give a plan for so long; answers until when. This process knows of it."""
    end = kit.clock.now() + timedelta(seconds=seconds)
    async with kit.system.service() as ctx:
        await set_billed(ctx, key.ids["holder"], Billed(plan, "billing", end, after))
    kit.runtime.port(KnownKeys).forget(key.ids["holder"])
    return end


async def heard(*kits: AppKit) -> None:
    """Until what is remembered may be trusted."""
    for one in kits:
        await until(lambda one=one: one.runtime.port(Notices).is_trusted)  # type: ignore[misc]


async def told(kit: AppKit, key: Shown) -> str:
    """The plan by which a key is judged."""
    return (await kit.runtime.port(KnownKeys).find(kit.system, key.secret)).holder.plan


async def costs_nothing(kit: AppKit, key: Shown, statements: Any) -> bool:
    """Whether a key is known without a statement, once what was told of its holder has come by."""
    for _ in range(100):
        with statements(kit) as count:
            await told(kit, key)
            if count() == 0:
                return True
        await asyncio.sleep(0.02)
    return False


async def test_a_key_that_is_remembered_is_asked_for_once_more(kit, key, statements):
    """Within the time in which changes are told: nobody tells of this one."""
    await bill(kit, key, "pro", "free", seconds=60)
    await heard(kit)
    assert await costs_nothing(kit, key, statements)
    await kit.move(seconds=59.8)
    await heard(kit)
    assert await told(kit, key) == "pro"
    assert await costs_nothing(kit, key, statements)
    await kit.move(seconds=0.2)
    assert await told(kit, key) == "free"
    # An end that is over is none to wait for.
    assert await costs_nothing(kit, key, statements)


async def test_one_that_does_not_work_tells_the_plan_in_force_too(kit, key):
    program = await kit.client(**bearer(await service_secret(kit)))
    end = await bill(kit, key, "pro", "free")
    await key.befall("keys.pending")
    for moment, plan in ((end - timedelta(seconds=1), "pro"), (end, "free")):
        await kit.set_time(moment)
        await heard(kit)
        for _ in range(2):
            told = (await program.post(PATH, json={"key": key.secret, "cost": 1})).json()
            assert (told["code"], told["plan"]) == ("keys.pending", plan)


async def test_a_program_is_limited_by_the_plan_that_follows_in_every_process(kit, other, key):
    end = await bill(kit, key, "pro", "free")
    programs = [await one.client(**bearer(key.secret)) for one in (kit, other)]
    for program in programs:
        answer = await program.get("/v1/work")
        assert (answer.json()["plan"], answer.headers["x-ratelimit-limit"]) == ("pro", "50")
        assert "burst" in answer.headers["ratelimit-policy"]
        for _ in range(3):
            assert (await program.get("/v1/work")).status_code == 200
    await kit.set_time(end)
    for program in programs:
        answer = await program.get("/v1/work")
        assert (answer.status_code, answer.json()["code"], answer.json()["plan"]) == (
            429,
            "usage.quota_exceeded",
            "free",
        )
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert "burst" not in answer.headers["ratelimit-policy"]


async def test_before_it_nothing_changes(kit, other, key):
    end = await bill(kit, key, "pro", "free")
    programs = [await one.client(**bearer(key.secret)) for one in (kit, other)]
    for moment in (0, WHILE / 2, WHILE - 0.001):
        await kit.set_time(end - timedelta(seconds=WHILE - moment))
        for program in programs:
            answer = await program.get("/v1/work")
            assert (answer.status_code, answer.json()["plan"]) == (200, "pro")


async def test_the_tier_of_a_key_is_never_above_the_plan_that_follows(kit, ada, key):
    async with kit.system.service() as ctx:
        await set_plan(ctx, key.ids["holder"], "pro", source="admin", reason="test")
    tiered = await shown(kit, ada, tier="pro")
    end = await bill(kit, tiered, "pro", "free")
    service = bearer(await service_secret(kit))
    program = await kit.client(**service)
    for moment, plan in ((end - timedelta(seconds=1), "pro"), (end, "free")):
        await kit.set_time(moment)
        answer = await program.post(PATH, json={"key": tiered.secret, "cost": 1})
        assert answer.json()["plan"] == plan
        (listed,) = [one for one in (await ada.get("/v1/keys")).json()["items"] if one["id"] == str(tiered.ids["key"])]
        assert listed["tier"] == plan


async def test_people_see_the_plan_in_force(kit, other, ada, key):
    end = await bill(kit, key, "pro", "free")
    people = [ada, await other.client()]
    people[1].cookies.update(ada.cookies)
    for moment, plan, limit in ((end - timedelta(seconds=1), "pro", 50), (end, "free", 5)):
        await kit.set_time(moment)
        for one in people:
            assert (await one.get("/v1/me")).json()["plan"]["name"] == plan
            usage = (await one.get("/v1/me/usage")).json()
            found = {each["meter"]: each["limit"] for each in usage["items"]}
            assert (usage["plan"], found[calls.name]) == (plan, limit)
            page = await one.get("/dashboard", headers={"Accept": "text/html"})
            assert page.status_code == 200
            names = {"pro": "Pro", "free": "Free"}
            other_plan = names["free" if plan == "pro" else "pro"]
            assert names[plan] in page.text
            assert f">{other_plan}<" not in page.text


async def test_a_plan_by_hand_ends_no_more(kit, key):
    end = await bill(kit, key, "pro", "free")
    async with kit.system.service() as ctx:
        await set_plan(ctx, key.ids["holder"], "pro", source="admin", reason="test")
    kit.runtime.port(KnownKeys).forget(key.ids["holder"])
    await kit.set_time(end)
    assert await told(kit, key) == "pro"
    assert (await decide(kit.system, key.ids["holder"], calls)).plan == "pro"
