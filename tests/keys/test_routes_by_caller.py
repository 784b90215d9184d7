"""Every route of an application with all rooms, as everybody who may not: the refusal expected, and nobody's data."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from house.rules import routes
from keys.asked import CHANGES, PATH, Shown, bearer, shown
from keys.conftest import keyed_product
from keys.route_table import TABLE
from tenantry import (
    Billing,
    Credits,
    DataSource,
    MagicLink,
    Organizations,
    Passkey,
    Password,
    Plan,
    Stripe,
    Trials,
)
from tenantry.holders import set_plan
from tenantry.kernel.context import open_context
from tenantry.keys import KnownKeys
from tenantry.testing import AppKit

LENGTH = timedelta(days=3)
ASKED = {"people", "callers", "anyone"}
"""Of whom a key is looked at: one that does not work is refused, also where a stranger is let in."""
PROVIDERS = {"/webhooks/{provider}": "/webhooks/stripe"}
Outcome = tuple[int, str | None]


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
        yield door, TABLE[str(door)]


async def knock(client: httpx2.AsyncClient, door: routes.Door, key: Shown, **headers: str) -> httpx2.Response:
    """Ask for what is somebody's: their ids stand wherever an id belongs."""
    path = PROVIDERS.get(door.path, door.path)
    parts = [str(key.ids["key"]) if part.startswith("{") else part for part in path.split("/")]
    body = None if door.method in {"GET", "DELETE"} else {}
    return await client.request(
        door.method, "/".join(parts), json=body, headers={"Accept": "application/json", **headers}
    )  # fmt: skip


def of_nobody(answer: httpx2.Response, secrets: list[str]) -> bool:
    told = answer.text + str(answer.headers)
    # 503: no payment provider is set up.
    return answer.status_code in {*range(500), 503} and not any(secret in told for secret in secrets)


def outcome(answer: httpx2.Response) -> Outcome:
    is_json = answer.headers.get("content-type", "").endswith("json")
    return answer.status_code, answer.json().get("code") if is_json else None


def by_write(code: str) -> Callable[[AppKit, Any, Shown], Awaitable[Shown]]:
    """What is the matter is written, as another process would."""

    async def befall(_kit: AppKit, _ada: httpx2.AsyncClient, key: Shown) -> Shown:
        await key.befall(code)
        return key

    return befall


def by_trial(end: str) -> Callable[[AppKit, httpx2.AsyncClient, Shown], Awaitable[Shown]]:
    """A key of a real trial of hers, that is ended this way."""

    async def befall(kit: AppKit, ada: httpx2.AsyncClient, key: Shown) -> Shown:
        trial = (await ada.post("/v1/trials", json={"name": "Acme"})).json()["id"]
        made = (await ada.post(f"/v1/trials/{trial}/keys", json={"label": "adas-own-robot"})).json()
        known = await kit.runtime.port(KnownKeys).find(kit.system, made["secret"])
        found = replace(key, secret=made["secret"], ids={**key.ids, "key": known.id, "holder": known.holder.id})
        if end in {"cancel", "convert"}:
            assert (await ada.post(f"/v1/trials/{trial}/{end}")).status_code == 200
        else:
            await kit.move(LENGTH)
        if end == "job":
            await kit.runtime.jobs["trials.expire"].run(kit.system, {})
        return found

    return befall


BROKEN = {
    "pending": (by_write("keys.pending"), 403, "keys.pending"),
    "revoked": (by_write("keys.revoked"), 401, "keys.revoked"),
    "expired": (by_write("keys.expired"), 401, "keys.expired"),
    "banned owner": (by_write("keys.owner_banned"), 403, "keys.owner_banned"),
    "deleted owner": (by_write("keys.owner_closed"), 403, "keys.owner_closed"),
    "suspended holder": (by_write("keys.holder_suspended"), 403, "keys.holder_suspended"),
    "cancelled trial": (by_trial("cancel"), 403, "keys.trial_ended"),
    "trial whose time is over": (by_trial("time"), 403, "keys.trial_ended"),
    "expired trial": (by_trial("job"), 403, "keys.trial_ended"),
}
"""What became of a key that works nowhere any more, and what its bearer is told."""


@pytest.fixture
async def kit(start) -> AppKit:
    keyed = keyed_product()
    trial = Plan("trial", price=0, limits=keyed.plans[0].limits)
    product = keyed_product(
        sign_in=[*keyed.sign_in, Password(), MagicLink(), Passkey()],
        plans=[*keyed.plans, trial],
        trials=Trials("trial", length=LENGTH),
        billing=Billing(providers=[Stripe()]),
        credits=Credits(),
        organizations=Organizations(),
        sources=[DataSource("Prices", key="prices", description="Of things.", availability="free", status="planned")],
        session_lifetime=2 * LENGTH,
    )
    found: AppKit = await start(product)
    return found


@pytest.fixture
async def key(kit, ada) -> Shown:
    """Ada's, and what nobody else may read: her name, her ids, the label of her key."""
    assert (await ada.patch("/v1/me", json={"name": "Countess Ockham"})).status_code == 200
    return await shown(kit, ada, label="adas-own-robot")


def private_of(key: Shown) -> list[str]:
    # The id of her key is in the path that is asked for, and may be told again.
    return ["Ockham", "adas-own-robot", key.secret, str(key.ids["holder"]), str(key.ids["owner"])]


async def test_every_route_is_in_the_table(kit):
    """Whoever adds a route says in `route_table.py` whom it lets in, and it is tried as everybody here."""
    assert {str(door): who_asks(door.route) for door in routes.doors(kit.app)} == TABLE
    assert open_context.who == "anyone"
    billing = {"POST /v1/checkout", "POST /v1/portal", "GET /v1/subscription", "POST /webhooks/{provider}"}
    assert billing <= TABLE.keys()


def test_nothing_that_may_be_the_matter_with_a_key_is_missing():
    assert {code for _, _, code in BROKEN.values()} == set(CHANGES)


async def test_no_one_is_told_to_sign_in(kit, key, program):
    wrong = []
    for door, who in doors(kit):
        answer = await knock(program, door, key)
        if who in {"people", "callers"}:
            fits = outcome(answer) == (401, "request.unauthenticated")
        else:
            fits = outcome(answer)[1] != "request.unauthenticated"
        if not fits or not of_nobody(answer, private_of(key)):
            wrong.append((str(door), who, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert outcome(await program.post(PATH, json={"key": key.secret})) == (401, "keys.missing")


@pytest.mark.parametrize("fate", BROKEN)
async def test_a_key_that_does_not_work_opens_nothing(kit, ada, key, program, fate):
    befall, status, code = BROKEN[fate]
    key = await befall(kit, ada, key)
    wrong = []
    for door, who in doors(kit):
        answer = await knock(program, door, key, **key.headers)
        fits = outcome(answer) == (status, code) if who in ASKED else outcome(answer)[1] != code
        if not fits or not of_nobody(answer, private_of(key)):
            wrong.append((str(door), who, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert outcome(await program.post(PATH, json={"key": key.secret}, headers=key.headers)) == (status, code)


@pytest.mark.parametrize("of", ["her own", "a trial that was converted"])
async def test_a_key_without_the_scope_does_what_needs_none(kit, ada, key, program, of):
    if of == "a trial that was converted":
        key = await by_trial("convert")(kit, ada, key)
    async with kit.system.service() as ctx:
        own = (await kit.runtime.port(KnownKeys).find(kit.system, key.secret)).holder.id
        await set_plan(ctx, own, "pro", source="admin", reason="test")
    opened, wrong = [], []
    for door, who in doors(kit):
        answer = await knock(program, door, key, **key.headers)
        if who == "people":
            fits = outcome(answer) == (403, "request.person_needed")
        elif str(door) == "POST /v1/work":
            fits = outcome(answer) == (403, "keys.scope_missing")
        else:
            fits = answer.status_code < 500 and answer.status_code != 401
            opened += [str(door)] if who == "callers" and answer.status_code == 200 else []
        if not fits:
            wrong.append((str(door), who, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert "GET /v1/work" in opened
    asked = await program.post(PATH, json={"key": key.secret}, headers=key.headers)
    assert outcome(asked) == (403, "keys.scope_missing")


async def test_anothers_key_and_another_person_see_nothing_of_hers(kit, key, program):
    grace = await kit.sign_in("grace")
    hers = await shown(kit, grace, label="graces-robot", scopes=["work:write"])
    wrong = []
    for door, who in doors(kit):
        by_key = await knock(program, door, key, **hers.headers)
        answers = [by_key, await knock(grace, door, key)]
        if (await grace.get("/v1/me")).status_code == 401:
            # It was a route that ends her session.
            grace = await kit.sign_in("grace")
        if who == "people" and outcome(by_key) != (403, "request.person_needed"):
            wrong.append((str(door), who, by_key.status_code, by_key.text[:200]))
        wrong += [
            (str(door), who, one.status_code, one.text[:200]) for one in answers if not of_nobody(one, private_of(key))
        ]
    assert wrong == []
    for method, path in (("DELETE", f"/v1/keys/{key.ids['key']}"), ("GET", f"/v1/keys/{key.ids['key']}")):
        assert outcome(await grace.request(method, path)) == (404, "keys.not_found")


async def test_no_key_stands_for_a_providers_signature(kit, key, program):
    for headers in ({}, key.headers, bearer("whsec_0")):
        answer = await program.post("/webhooks/stripe", json={"id": "evt_1"}, headers=headers)
        assert outcome(answer) == (404, "billing.secret_unset")
