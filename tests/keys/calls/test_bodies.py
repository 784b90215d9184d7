"""Bodies are kept only where the product says so: JSON, small, without secrets."""

import json

import pytest
from fastapi import APIRouter, Response

from keys.calls.world import called_product, calls, log_of
from tenantry import Module
from tenantry.fastapi import Metered

router = APIRouter(prefix="/v1/echo", tags=["echo"])


@router.post("", dependencies=[Metered(calls)])
async def echo(body: dict) -> dict:
    return {"echo": body, "access_token": "t" * 40}


@router.post("/text", dependencies=[Metered(calls)])
async def text(body: dict) -> Response:
    return Response(json.dumps(body), media_type="text/plain")


@router.post("/nul", dependencies=[Metered(calls)])
async def nul(body: dict) -> dict:
    return {"text": "\0"}


def product(**changes):
    made = called_product(**changes)
    return type(made)(
        made.name, sign_in=made.sign_in, plans=made.plans, keys=made.keys, modules=[Module("echo", routers=[router])]
    )


@pytest.fixture
async def kit(start):
    return await start(product(log_bodies=True, body_bytes_max=200))


async def test_bodies_are_kept_without_their_secrets(robot, written):
    sent = {"name": "Ada", "password": "hunter2", "deep": [{"api_key": "k", "age": 3}]}
    assert (await robot.post("/v1/echo", json=sent)).status_code == 200
    (one,) = await written()
    clean = {"name": "Ada", "password": "***", "deep": [{"api_key": "***", "age": 3}]}
    assert one["request_body"] == clean
    assert one["response_body"] == {"echo": clean, "access_token": "***"}


async def test_they_are_told_in_the_list_and_not_in_the_file(ada, key, robot, written):
    await robot.post("/v1/echo", json={"name": "Ada"})
    await written()
    (one,) = (await ada.get(f"/v1/keys/{key['id']}/calls")).json()["items"]
    assert one["request_body"] == {"name": "Ada"}
    assert "Ada" not in (await ada.get(f"/v1/keys/{key['id']}/calls.csv")).text


async def test_large_ones_are_left_out_and_say_so(robot, written):
    sent = {"name": "x" * 300}
    answer = await robot.post("/v1/echo", json=sent)
    (one,) = await written()
    assert one["request_body"] == {"omitted": "size", "bytes": len(json.dumps(sent, separators=(",", ":")))}
    assert one["response_body"] == {"omitted": "size", "bytes": len(answer.content)}


async def test_what_is_no_json_is_not_kept(robot, written):
    await robot.post("/v1/echo/text", json={"a": 1})
    await robot.post("/v1/echo", content=b"{broken", headers={"content-type": "application/json"})
    await robot.post("/v1/echo", content=b"a=1", headers={"content-type": "application/x-www-form-urlencoded"})
    # The broken one was refused before anybody asked who calls.
    plain, form = await written()
    assert (plain["request_body"], plain["response_body"]) == ({"a": 1}, None)
    assert (form["status"], form["request_body"]) == (415, None)


async def test_what_no_database_keeps_is_left_out(robot, written):
    await robot.post("/v1/echo/nul", json={"a": 1})
    (one,) = await written()
    assert (one["status"], one["response_body"]["omitted"]) == (200, "form")


async def test_without_the_switch_nothing_is_kept(start):
    kit = await start(product())
    ada = await kit.sign_in("ada")
    key = (await ada.post("/v1/keys", json={"label": "robot"})).json()
    robot = await kit.client(**{"X-API-Key": key["secret"]})
    assert (await robot.post("/v1/echo", json={"a": 1})).status_code == 200
    (one,) = await log_of(kit)
    assert (one["request_body"], one["response_body"]) == (None, None)
