"""May this key do that, now: each refusal, one order at every door, and what a refusal costs."""

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from fastapi import APIRouter
from sqlalchemy import select
from starlette.routing import Mount

from keys.asked import FAULTS, PATH, Shown, bearer, service_secret, shown
from keys.conftest import calls, keyed_product, keys
from tenantry import Burst, Keys, Module, Plan, Scope
from tenantry.fastapi import Metered, Require
from tenantry.holders import set_plan
from tenantry.kernel import Problem
from tenantry.kernel.database import statement
from tenantry.keys import CallLog, KnownKeys, authorize
from tenantry.keys.models import ApiCalls
from tenantry.keys.questions import OF_THE_KEY, Code
from tenantry.usage import Leases
from tenantry.usage import Metered as MeteredApp


class Logged(msgspec.Struct, frozen=True):
    """A line of the call log."""

    endpoint: str
    request_body: Any
    response_body: Any


_LOGGED = statement(select(ApiCalls.endpoint, ApiCalls.request_body, ApiCalls.response_body), Logged)
LIMIT, PACE = 1_000, Burst(1, seconds=10)
SCOPES = [Scope("work:write", "Change work."), Scope("fly", "Fly.")]
router = APIRouter(prefix="/v1/doors", tags=["doors"])


@router.post("/dear", dependencies=[Require("work:write"), Metered(calls, cost=LIMIT + 1)])
@router.post("/cheap", dependencies=[Require("work:write"), Metered(calls)])
@router.post("/dear/closed", dependencies=[Require("fly"), Metered(calls, cost=LIMIT + 1)])
@router.post("/cheap/closed", dependencies=[Require("fly"), Metered(calls)])
async def open_door() -> None:
    """Behind all that is asked."""


async def _done(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


router.routes.append(Mount("/v1/asgi/cheap", MeteredApp(_done, calls)))
router.routes.append(Mount("/v1/asgi/dear", MeteredApp(_done, calls, cost=LIMIT + 1)))


def product():
    plans = [
        Plan("free", price=0, limits={calls: LIMIT, keys: 50}, burst=PACE),
        Plan("pro", price=900, limits={calls: 5 * LIMIT, keys: 50}),
    ]
    modules = [Module("doors", routers=[router])]
    return keyed_product(plans=plans, modules=modules, keys=Keys("acme", meter=calls, count=keys, scopes=SCOPES))


@pytest.fixture
async def kit(start):
    return await start(product())


@pytest.fixture
async def key(kit, ada) -> Shown:
    return await shown(kit, ada, scopes=["work:write"])


async def at_authorize(key: Shown, program, faults: set[str]) -> str | None:
    """In process."""
    cost = LIMIT + 1 if "usage.quota_exceeded" in faults else 1
    scope = "fly" if "keys.scope_missing" in faults else "work:write"
    try:
        await authorize(key.kit.system, key.secret, meter=calls, cost=cost, scope=scope)
    except Problem as problem:
        return problem.code
    return None


async def at_the_route(key: Shown, program, faults: set[str]) -> str | None:
    path = "/v1/doors/dear" if "usage.quota_exceeded" in faults else "/v1/doors/cheap"
    answer = await program.post(path + "/closed" * ("keys.scope_missing" in faults), headers=key.headers)
    return answer.json()["code"] if answer.status_code != 200 else None


async def at_asgi(key: Shown, program, faults: set[str]) -> str | None:
    path = "/v1/asgi/dear/x" if "usage.quota_exceeded" in faults else "/v1/asgi/cheap/x"
    answer = await program.get(path, headers=key.headers)
    return answer.json()["code"] if answer.status_code != 204 else None


def at_the_door(service: str):
    async def ask(key: Shown, program, faults: set[str]) -> str | None:
        cost = LIMIT + 1 if "usage.quota_exceeded" in faults else 1
        scope = "fly" if "keys.scope_missing" in faults else "work:write"
        body = {"key": key.secret, "cost": cost, "scope": scope}
        answer = await program.post(PATH, json=body, headers=bearer(service))
        assert answer.status_code == 200, answer.text
        assert answer.json()["allowed"] is (answer.json()["code"] is None)
        return answer.json()["code"]

    return ask


async def test_of_two_faults_the_earlier_is_told_at_every_door_and_costs_nothing(kit, key, program):
    doors = [at_authorize, at_the_route, at_asgi, at_the_door(await service_secret(kit))]
    admitted = 0
    for pair in [*itertools.combinations(FAULTS, 2), *((one,) for one in FAULTS)]:
        faults = set(pair)
        # The pace knows one call in ten seconds, and a refusal by the quota was one.
        await kit.move(seconds=11)
        if "usage.burst_exceeded" in faults:
            assert await at_authorize(key, program, set()) is None
            admitted += 1
        # Of the status one only is true, the last that was written.
        for code in reversed([one for one in pair if one in FAULTS[:7]]):
            await key.befall(code)
        for door in doors:
            if door is at_asgi and "keys.scope_missing" in faults:
                continue
            expected = pair[0]
            if "usage.quota_exceeded" in faults and len(pair) == 1:
                await kit.move(seconds=11)
            assert await door(key, program, faults) == expected, (pair, door.__name__)
        await key.mend()
    await kit.move(seconds=11)
    decision = (await authorize(kit.system, key.secret, meter=calls)).decision
    assert decision is not None
    assert (decision.used, decision.remaining) == (admitted + 1, LIMIT - admitted - 1)


async def test_what_is_no_key_is_told_too(kit, key, program):
    service = bearer(await service_secret(kit))
    swapped = key.secret[:-1] + ("x" if key.secret[-1] != "x" else "y")
    other = "acme_live_" + key.secret.removeprefix("acme_live_")[::-1]
    for secret in ("", "x", swapped, other):
        code = "keys.unknown" if secret else "keys.missing"
        answer = (await program.post(PATH, json={"key": secret}, headers=service)).json()
        assert (answer["allowed"], answer["code"], answer["key_id"]) == (False, code, None)
        if secret:
            refused = await program.post("/v1/doors/cheap", headers={"X-API-Key": secret})
            assert (refused.status_code, refused.json()["code"]) == (401, code)


async def test_the_answer_says_whose_key_it_is_and_how_it_stands(kit, key, program):
    service = bearer(await service_secret(kit))
    answer = await program.post(PATH, json={"key": key.secret, "scope": "work:write", "cost": 3}, headers=service)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert {"x-request-id", "content-security-policy"} <= set(answer.headers)
    assert answer.json() == {
        "allowed": True,
        "code": None,
        "detail": None,
        "key_id": str(key.ids["key"]),
        "holder_id": str(key.ids["holder"]),
        "plan": "free",
        "meter": "calls",
        "limit": LIMIT,
        "remaining": LIMIT - 3,
        "reset_at": "2026-03-15T00:00:00Z",
        "retry_after": None,
    }
    again = (await program.post(PATH, json={"key": key.secret}, headers=service)).json()
    assert (again["allowed"], again["code"], again["retry_after"]) == (False, "usage.burst_exceeded", 10)
    await kit.move(seconds=11)
    dear = (await program.post(PATH, json={"key": key.secret, "cost": LIMIT}, headers=service)).json()
    assert (dear["code"], dear["limit"], dear["remaining"]) == ("usage.quota_exceeded", LIMIT, LIMIT - 3)
    assert dear["key_id"] == str(key.ids["key"])
    assert dear["reset_at"] == "2026-03-15T00:00:00Z"
    # To look costs nothing, not even pace.
    for _ in range(3):
        looked = (await program.post(PATH, json={"key": key.secret, "cost": 0}, headers=service)).json()
        assert (looked["allowed"], looked["plan"], looked["remaining"]) == (True, "free", None)


async def test_only_the_operators_service_may_ask(kit, ada, key, program):
    body = {"key": key.secret}
    nobody = await program.post(PATH, json=body)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "keys.missing")
    assert nobody.headers["www-authenticate"] == "Bearer"
    customer = await program.post(PATH, json=body, headers=key.headers)
    assert (customer.status_code, customer.json()["code"], customer.json()["scope"]) == (
        403,
        "keys.scope_missing",
        "authorize",
    )
    # A cookie is a browser's, whoever made it ask.
    person = await ada.post(PATH, json=body)
    assert (person.status_code, person.json()["code"]) == (401, "keys.missing")
    service = await service_secret(kit)
    revoked = await shown(kit, ada)
    await revoked.befall("keys.revoked")
    gone = await program.post(PATH, json=body, headers=revoked.headers)
    assert (gone.status_code, gone.json()["code"]) == (401, "keys.revoked")
    assert (await program.post(PATH, json=body, headers=bearer(service))).json()["allowed"] is True


async def test_no_customer_makes_or_rotates_a_key_that_asks_about_others(kit, ada):
    for given in ({"scopes": ["authorize"]}, {"scopes": ["work:write", "authorize"]}):
        refused = await ada.post("/v1/keys", json={"label": "spy", **given})
        assert (refused.status_code, refused.json()["code"]) == (403, "keys.scope_reserved")
    await service_secret(kit, "ada")
    (made,) = (await ada.get("/v1/keys")).json()["items"]
    assert made["scopes"] == ["authorize"]
    rotated = await ada.post(f"/v1/keys/{made['id']}/rotate")
    assert (rotated.status_code, rotated.json()["code"]) == (403, "keys.scope_reserved")
    assert (await ada.delete(f"/v1/keys/{made['id']}")).json()["state"] == "revoked"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b'{"key": "\xff"}', 400, "body"),
        (b'{"key": "a", "cost": NaN}', 400, "body"),
        (b"[]", 422, "body"),
        (b"{}", 422, "body.key"),
        (b'{"key": 1}', 422, "body.key"),
        (b'{"key": null}', 422, "body.key"),
        (b'{"key": "a\\u0000"}', 422, "body.key"),
        (b'{"key": "a", "secret": 1}', 422, "body.secret"),
        (b'{"key": "a", "cost": -1}', 422, "body.cost"),
        (b'{"key": "a", "cost": 1.5}', 422, "body.cost"),
        (b'{"key": "a", "cost": true}', 422, "body.cost"),
        (b'{"key": "a", "cost": 1000000000001}', 422, "body.cost"),
        (b'{"key": "a", "meter": "storage"}', 422, "body.meter"),
        (b'{"key": "a", "meter": ""}', 422, "body.meter"),
        (b'{"key": "a", "scope": "sail"}', 422, "body.scope"),
        (b'{"key": "' + b"a" * 1_001 + b'"}', 422, "body.key"),
    ],
)
async def test_what_is_no_question_is_refused_by_name_and_never_repeated(kit, program, body, status, field):
    headers = {**bearer(await service_secret(kit)), "content-type": "application/json"}
    answer = await program.post(PATH, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert "aaaaaaaaaa" not in answer.text  # Longer than chance puts into a request's id.


async def test_what_is_not_asked_as_it_should_be(kit, program):
    headers = bearer(await service_secret(kit))
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        refused = await program.request(method, PATH, headers=headers)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST"), method
    plain = await program.post(PATH, content=b"{}", headers={**headers, "content-type": "text/plain"})
    assert plain.status_code == 415
    large = await program.post(PATH, json={"key": "a" * 20_000}, headers=headers)
    assert (large.status_code, large.json()["code"]) == (413, "request.too_large")
    assert (await program.post(f"{PATH}/", json={}, headers=headers)).status_code == 404


async def test_the_codes_of_the_answer_are_those_of_the_refusals():
    assert list(Code.__args__) == [problem.code for problem in OF_THE_KEY]


async def test_the_door_is_described(kit, program):
    paths = kit.app.openapi()["paths"]
    operation = paths[PATH]["post"]
    assert set(operation["responses"]) >= {"200", "400", "401", "403", "413", "415", "422", "503"}
    schemas = kit.app.openapi()["components"]["schemas"]
    assert schemas["AuthorizeKey"]["additionalProperties"] is False
    assert set(schemas["AuthorizeKey"]["properties"]) == {"key", "meter", "cost", "scope"}


async def test_a_tier_admits_up_to_its_limit_of_what_the_holder_uses(kit, ada, key, program):
    low = await shown(kit, ada, tier="free")
    async with kit.system.service() as ctx:
        await set_plan(ctx, key.ids["holder"], "pro", source="admin", reason="test")
    kit.runtime.port(KnownKeys).forget(key.ids["holder"])

    async def used(one: Shown, cost: int) -> tuple[str | None, int | None]:
        try:
            decision = (await authorize(kit.system, one.secret, meter=calls, cost=cost)).decision
        except Problem as problem:
            return problem.code, problem.extra.get("limit")
        assert decision is not None
        return decision.plan, decision.limit

    assert await used(key, LIMIT - 10) == ("pro", 5 * LIMIT)
    assert await used(low, 5) == ("free", LIMIT)
    # The pace of its tier, which is its own: the other key goes on.
    assert (await used(low, 5))[0] == "usage.burst_exceeded"
    assert (await used(key, 1))[0] == "pro"
    await kit.move(timedelta(seconds=11))
    assert await used(low, 5) == ("usage.quota_exceeded", LIMIT)
    await kit.move(timedelta(seconds=11))
    assert await used(low, 4) == ("free", LIMIT)
    await kit.move(timedelta(seconds=11))
    assert await used(low, 1) == ("usage.quota_exceeded", LIMIT)
    # A refusal took nothing from the holder.
    assert await used(key, 4 * LIMIT) == ("pro", 5 * LIMIT)
    assert (await used(key, 1))[0] == "usage.quota_exceeded"
    await kit.runtime.port(Leases).settle()
    answer = await program.post("/v1/doors/cheap", headers=low.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "keys.scope_missing")


async def test_the_key_that_is_asked_about_is_logged_nowhere(start, caplog, statements):
    """Neither in a line nor in the call log, bodies or not, also when it stands where nobody expects it."""
    caplog.set_level("DEBUG")
    kept = Keys("acme", meter=calls, count=keys, scopes=SCOPES, log_bodies=True)
    kit = await start(keyed_product(keys=kept, modules=[]))
    key, program = await shown(kit, await kit.sign_in("ada")), await kit.client()
    service = bearer(await service_secret(kit))
    for body in ({"key": key.secret}, {"kez": key.secret}, {key.secret: 1}, {"key": key.secret, "scope": key.secret}):
        assert (await program.post(PATH, json=body, headers=service)).status_code in {200, 422}
    await kit.runtime.port(CallLog).flush()
    async with kit.system.service(writes=False) as ctx:
        logged = await ctx.db.rows(_LOGGED)
    # One question was about a key and let in; one asked for a scope that there is not.
    assert [(one.endpoint, one.request_body, one.response_body) for one in logged] == [(PATH, None, None)]
    assert key.secret not in repr(logged)
    assert key.secret not in caplog.text
