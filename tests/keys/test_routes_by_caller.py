"""Every route of an application with keys, as everybody who may not: the refusal as expected, and nobody's data."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from house.rules import routes
from keys.asked import CHANGES, PATH, Shown, shown
from keys.conftest import keyed_product
from tenantry import MagicLink, Password, Plan, Trials
from tenantry.holders import set_plan
from tenantry.kernel.context import open_context
from tenantry.testing import AppKit

BROKEN = [code for code in CHANGES if code != "keys.holder_suspended"]
STATUS = dict.fromkeys(BROKEN, 403) | {"keys.revoked": 401, "keys.expired": 401}


def who_asks(route: Any) -> str:
    """Whom a route lets in by its dependencies: "people", "callers", "anyone", or nobody is asked: ""."""
    found, waiting = set(), [route.dependant] if route is not None else []
    while waiting:
        dependant = waiting.pop()
        found.add(getattr(dependant.call, "who", ""))
        waiting += dependant.dependencies
    return next((one for one in ("people", "callers", "anyone") if one in found), "")


def doors(kit: AppKit) -> Iterator[tuple[routes.Door, str]]:
    for door in routes.doors(kit.app):
        yield door, who_asks(door.route)


async def knock(client: httpx2.AsyncClient, door: routes.Door, key: Shown, **headers: str) -> httpx2.Response:
    """Ask for what is somebody's: their ids stand wherever an id belongs."""
    parts = [str(key.ids["key"]) if part.startswith("{") else part for part in door.path.split("/")]
    body = None if door.method in {"GET", "DELETE"} else {}
    return await client.request(
        door.method, "/".join(parts), json=body, headers={"Accept": "application/json", **headers}
    )  # fmt: skip


def of_nobody(answer: httpx2.Response, secrets: list[str]) -> bool:
    told = answer.text + str(answer.headers)
    return answer.status_code < 500 and not any(secret in told for secret in secrets)


@pytest.fixture
async def kit(start) -> AppKit:
    keyed = keyed_product()
    trial = Plan("trial", price=0, limits=keyed.plans[0].limits)
    product = keyed_product(
        sign_in=[*keyed.sign_in, Password(), MagicLink()], plans=[*keyed.plans, trial], trials=Trials("trial")
    )
    found: AppKit = await start(product)
    return found


@pytest.fixture
async def key(kit, ada) -> Shown:
    """Ada's, and what nobody else may read: her name, her ids, the label of her key."""
    assert (await ada.patch("/v1/me", json={"name": "Countess Ockham"})).status_code == 200
    return await shown(kit, ada, label="adas-own-robot")


@pytest.fixture
def private(key) -> list[str]:
    # The id of her key is in the path that is asked for, and may be told again.
    return ["Ockham", "adas-own-robot", key.secret, str(key.ids["holder"]), str(key.ids["owner"])]


async def test_there_are_routes_of_each_kind(kit):
    kinds = [who for _, who in doors(kit)]
    assert min(kinds.count(who) for who in ("people", "callers", "anyone", "")) >= 2
    assert open_context.who == "anyone"


async def test_no_one_is_told_to_sign_in(kit, key, program, private):
    wrong = []
    for door, who in doors(kit):
        answer = await knock(program, door, key)
        expected = (401, "request.unauthenticated") if who in {"people", "callers"} else None
        told = (answer.status_code, answer.json()["code"]) if expected else None
        if not of_nobody(answer, private) or told != expected:
            wrong.append((str(door), who, answer.status_code, answer.text[:200]))
    assert wrong == []


@pytest.mark.parametrize("code", BROKEN)
async def test_a_key_that_does_not_work_opens_nothing(kit, key, program, private, code):
    await key.befall(code)
    wrong = []
    for door, who in doors(kit):
        answer = await knock(program, door, key, **key.headers)
        expected = (STATUS[code], code) if who in {"people", "callers"} else None
        told = (answer.status_code, answer.json()["code"]) if expected else None
        if not of_nobody(answer, private) or told != expected:
            wrong.append((str(door), who, answer.status_code, answer.text[:200]))
    asked = await program.post(PATH, json={"key": key.secret}, headers=key.headers)
    assert (asked.status_code, asked.json()["code"]) == (STATUS[code], code)
    assert wrong == []


async def test_a_key_without_the_scope_does_what_needs_none(kit, key, program):
    async with kit.system.service() as ctx:
        await set_plan(ctx, key.ids["holder"], "pro", source="admin", reason="test")
    opened, wrong = [], []
    for door, who in doors(kit):
        answer = await knock(program, door, key, **key.headers)
        code = answer.json().get("code") if answer.headers.get("content-type", "").endswith("json") else None
        if who == "people":
            fits = (answer.status_code, code) == (403, "request.person_needed")
        elif str(door) == "POST /v1/work":
            fits = (answer.status_code, code) == (403, "keys.scope_missing")
        else:
            fits = answer.status_code < 500 and answer.status_code != 401
            opened += [str(door)] if who == "callers" and answer.status_code == 200 else []
        if not fits:
            wrong.append((str(door), who, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert "GET /v1/work" in opened
    asked = await program.post(PATH, json={"key": key.secret}, headers=key.headers)
    assert (asked.status_code, asked.json()["code"]) == (403, "keys.scope_missing")


async def test_anothers_key_and_another_person_see_nothing_of_hers(kit, key, program, private):
    grace = await kit.sign_in("grace")
    hers = await shown(kit, grace, label="graces-robot", scopes=["work:write"])
    wrong = []
    for door, who in doors(kit):
        answers = [await knock(program, door, key, **hers.headers), await knock(grace, door, key)]
        if (await grace.get("/v1/me")).status_code == 401:
            # It was a route that ends her session.
            grace = await kit.sign_in("grace")
        wrong += [(str(door), who, one.status_code, one.text[:200]) for one in answers if not of_nobody(one, private)]
    assert wrong == []
    for method, path in (("DELETE", f"/v1/keys/{key.ids['key']}"), ("GET", f"/v1/keys/{key.ids['key']}")):
        refused = await grace.request(method, path)
        assert (refused.status_code, refused.json()["code"]) == (404, "keys.not_found")
