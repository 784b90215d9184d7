"""Which calls are in the log, and what is written of each."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI

from keys.calls.world import calls
from tenantry import mount
from tenantry.fastapi import Metered


async def test_a_call_is_written_with_its_template_and_never_with_its_path(kit, robot, key, written):
    answer = await robot.get("/v1/things/secret-thing-4711?name=ada")
    (one,) = await written()
    assert (one["method"], one["endpoint"], one["status"]) == ("GET", "/v1/things/{thing}", 200)
    assert str(one["key_id"]) == key["id"]
    assert one["request_id"] == answer.headers["x-request-id"]
    assert one["at"] == kit.clock.now()
    assert 0 <= one["latency_ms"] < 10_000
    assert (one["request_body"], one["response_body"]) == (None, None)
    assert "4711" not in str(one)


async def test_calls_of_people_and_of_strangers_and_with_keys_that_do_not_work_are_not_written(
    ada, program, key, written
):
    await ada.get("/v1/things/1")
    await program.get("/v1/things/1")
    await program.get("/v1/things/1", headers={"X-API-Key": key["secret"][:-1] + "x"})
    assert await written() == []


async def test_refusals_for_scope_pace_and_quota_are_written(robot, written):
    answers = [(await robot.get("/v1/things/1/scoped")).status_code]
    answers += [(await robot.get("/v1/things/1")).status_code for _ in range(12)]
    found = await written()
    assert [one["status"] for one in found] == answers
    assert set(answers) == {200, 403, 429}


async def test_a_mounted_application_is_told_by_its_mount(robot, written):
    await robot.get("/tiles/4711/0815.png")
    (one,) = await written()
    assert (one["endpoint"], one["status"]) == ("/tiles", 200)


async def test_a_crash_is_an_error_and_a_stream_lasts_until_its_end(robot, written):
    assert (await robot.get("/v1/things/1/crash")).status_code == 500
    assert (await robot.get("/v1/things/1/slowly")).status_code == 200
    crashed, streamed = await written()
    assert crashed["status"] == 500
    assert streamed["latency_ms"] >= 50


async def test_who_left_before_there_was_an_answer_is_written_with_status_0(robot, written):
    gone = asyncio.create_task(robot.get("/v1/things/1/never"))
    await asyncio.sleep(0.3)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    (one,) = await written()
    assert one["status"] == 0


async def test_a_product_inside_another_application_writes_each_call_once(kit, key, written):
    theirs = FastAPI()

    @theirs.get("/own/{name}", dependencies=[Metered(calls)])
    async def own(name: str) -> str:
        return name

    mount(theirs, kit.app)
    # Started by the kit already.
    transport = httpx2.ASGITransport(app=theirs)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for path in ("/own/4711", "/v1/things/4711", "/own/4711"):
            assert (await client.get(path, headers={"X-API-Key": key["secret"]})).status_code == 200
    found = await written()
    assert [one["endpoint"] for one in found] == ["/own/{name}", "/v1/things/{thing}", "/own/{name}"]


async def test_when_a_key_was_used_last_is_known_to_the_minute(kit, ada, key, robot, written):
    async def used():
        assert (await robot.get("/v1/things/1")).status_code == 200
        await written()
        return (await ada.get(f"/v1/keys/{key['id']}")).json()["last_used_at"]

    assert key["last_used_at"] is None
    first = await used()
    assert first == "2026-03-14T12:00:00Z"
    await kit.move(timedelta(seconds=50))
    assert await used() == first
    await kit.move(timedelta(seconds=20))
    assert await used() == "2026-03-14T12:01:10Z"
