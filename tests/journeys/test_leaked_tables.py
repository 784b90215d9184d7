"""Somebody has a copy of the whole database, of a product with everything in use: no table of it opens anything.

`test_leaked_database.py` tries each kind of credential at its own door. Here no table may be forgotten: one without a
row fails, so a room that brings a table brings the step of the journey that fills it.
"""

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import APIRouter

from admin.acting import Office
from billing.conftest import paid_product
from billing.truth import Truth, subscription_of
from identity.authenticator import Device
from identity.mailbox import mailbox, token_in
from identity.second_factors import App
from journeys.test_leaked_database import as_text, dump_tables, forms_of
from organizations.test_invitations import token_in as invitation_in
from tenantry import Credits, Gauge, Google, Keys, MagicLink, Meter, Module, Organizations, Passkey, Password, Trials
from tenantry.billing import BillingProviders
from tenantry.billing.snapshots import ExternalId, PaymentSnapshot
from tenantry.fastapi import Metered
from tenantry.identity.tokens import Purpose
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.database import Base
from tenantry.kernel.dependencies import Caller
from tenantry.keys import CallLog
from tenantry.product import Plan
from tenantry.testing import AppKit
from tenantry.testing.kit import START
from tenantry.usage import Leases
from tenantry.usage.credits import reserve as reserve_credits
from tenantry.usage.reservations import reserve
from tenantry.usage.stocks import change_gauge
from usage.people import signed_in

requests, storage = Meter("requests", per="day"), Gauge("storage")
LIMITS: dict[Any, int | None] = {requests: 5, storage: 100}
PREFIXES = ("", "sess_", "invitation_", "acme_live_", "acme_trial_", *(f"{one.prefix}_" for one in Purpose))
router = APIRouter()
EMPTY = {
    "billing_locks": "what an object of the payment provider is held by while it is read, and no longer",
    "notices": "PostgreSQL carries notices itself; on SQLite the table has some",
}
"""Tables that may be empty, and why."""


@router.get("/v1/work", dependencies=[Metered(requests)])
async def work(ctx: Caller) -> dict[str, str]:
    """What is paid for."""
    return {"plan": ctx.holder.plan}


@pytest.fixture
async def office(start: Any) -> Office:
    """Everything that a product can have; Ada looks after it, Grace buys."""
    clock = FrozenClock(START)
    truth = Truth(clock.now)
    product = paid_product(
        sign_in=[Google(), Password(), MagicLink(), Passkey()],
        plans=[
            Plan("free", price=0, limits=LIMITS),
            Plan("trial", price=0, limits=LIMITS, is_active=False),
            Plan("pro", price=900, limits=LIMITS),
            Plan("business", price=2900, limits=LIMITS),
        ],
        keys=Keys("acme", log_bodies=True),
        organizations=Organizations(),
        credits=Credits(name="tokens", on_sign_up=10),
        trials=Trials("trial", length=timedelta(days=3)),
        modules=[Module("work", routers=[router])],
    )
    kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": truth})})
    return await Office.open(kit, truth)


async def test_no_table_is_empty_and_no_value_of_any_opens_anything(office: Office) -> None:
    kit = office.kit
    secrets = await everything(office)
    tables = await dump_tables(kit.database)
    empty = {table.name for table in Base.metadata.sorted_tables if not tables[table.name]}
    assert sorted(empty - EMPTY.keys()) == []
    values = [value for rows in tables.values() for value in rows]
    leaked = as_text(values)
    assert [what for what, one in secrets.items() if one in leaked or one.rpartition("_")[2] in leaked] == []
    forms = sorted({form for value in values for form in forms_of(value)})
    assert len(forms) > 500
    # Whatever is kept as a hash: no value, with any prefix of ours, is what a kept hash was made of.
    kept = {value for value in values if isinstance(value, bytes)}
    assert sha256(secrets["session"].encode()).digest() in kept, "the real one is found, so the search was fair"
    assert [form for form in forms for prefix in PREFIXES if sha256((prefix + form).encode()).digest() in kept] == []
    await try_doors(kit, forms, secrets)
    await try_idempotency_keys(office, forms_of_all(tables["idempotency_keys"]), secrets)


async def try_doors(kit: AppKit, forms: Iterable[str], secrets: dict[str, str]) -> None:
    """Each value at each door that asks for no more than one credential; the real ones pass."""
    thief, eve = await kit.client(), await kit.sign_in("alan")

    async def is_let_in(headers: dict[str, str]) -> bool:
        return (await thief.get("/v1/me", headers=headers)).status_code != 401

    async def is_half(value: str) -> bool:
        answer = await thief.get("/auth/second-factor", headers={"Cookie": f"half={value}"})
        return answer.status_code == 200

    async def is_aside(value: str) -> bool:
        answer = await thief.post("/auth/impersonation/end", headers={"Cookie": f"operator={value}"})
        thief.cookies.clear()
        return "session=sess_" in " ".join(answer.headers.get_list("set-cookie"))

    async def is_invited(value: str) -> bool:
        answer = await eve.post("/v1/invitations/accept", json={"token": value})
        return answer.status_code not in {404, 422}

    for form in forms:
        for value in (form, f"sess_{form}"):
            assert not await is_let_in({"Cookie": f"session={value}"}), form
            assert not await is_let_in({"Authorization": f"Bearer {value}"}), form
        for value in (form, f"acme_live_{form}"):
            assert not await is_let_in({"X-API-Key": value}), form
        assert not await is_half(f"second_factor_{form}"), form
        assert not await is_aside(form), form
        assert not await is_invited(f"invitation_{form}"), form
    assert await is_let_in({"Cookie": f"session={secrets['session']}"})
    assert await is_let_in({"Authorization": f"Bearer {secrets['session']}"})
    assert await is_let_in({"X-API-Key": secrets["key"]})
    assert await is_half(secrets["half"])
    assert await is_aside(secrets["aside"])
    assert await is_invited(secrets["invitation"])


async def try_idempotency_keys(office: Office, forms: Iterable[str], secrets: dict[str, str]) -> None:
    """Whoever knows another's key, and what is kept of it, is not given their answer again."""
    eve = await office.kit.sign_in("alan")
    for form in sorted(forms):
        answer = await eve.post("/v1/keys", json={"label": "robot"}, headers={"Idempotency-Key": form})
        assert secrets["key"] not in answer.text


def forms_of_all(values: Iterable[Any]) -> set[str]:
    return {form for value in values for form in forms_of(value)}


async def everything(office: Office) -> dict[str, str]:
    """Leave a row in every table; answers what only its owner may know."""
    kit, ada, grace = office.kit, office.ada, office.grace
    secrets = {"session": grace.cookies["session"]}
    me = (await grace.get("/v1/me")).json()
    await of_signing_in(kit, grace, secrets)
    await of_the_team(kit, grace, secrets)
    await of_keys(kit, grace, secrets)
    secrets["session"] = grace.cookies["session"]
    person = await signed_in(kit, UUID(me["id"]))
    async with person.service() as working:
        await change_gauge(working, storage, 90)
    await reserve(person, requests, 1, expires_in=timedelta(minutes=5))
    await grace.post("/v1/credits/spend", json={"amount": 3})
    await reserve_credits(person, 2, expires_in=timedelta(minutes=5))
    price = office.truth.sell("pro")
    bought = subscription_of(person.holder.id, price)
    paid = PaymentSnapshot(
        external_id=ExternalId("in_1"), subscription=bought.external_id, customer=bought.customer, price=price,
        status="paid", reason="initial", amount=900, paid_at=kit.clock.now(), holder_id=person.holder.id,
    )  # fmt: skip
    await office.deliver(office.truth.put(bought), office.truth.put(paid))
    sold = await grace.post("/v1/checkout", json={"plan": "business"})
    assert sold.status_code < 500
    await kit.runtime.port(Leases).settle()
    await kit.runtime.port(Leases).notices.written()
    looked = await ada.post(f"/admin/users/{me['id']}/impersonate", data={"reason": "a question"})
    assert looked.headers["location"] == "/dashboard", looked.text
    secrets |= {"look": ada.cookies["session"], "aside": ada.cookies["operator"].strip('"')}
    return secrets


async def of_signing_in(kit: AppKit, grace: httpx2.AsyncClient, secrets: dict[str, str]) -> None:
    """Every way in and every factor; a change of address, a half and a mailed link are under way."""
    changed = await grace.put("/v1/me/password", json={"password": "correct horse 7"})
    assert changed.status_code == 200, changed.text
    app = await App.of(kit, grace)
    secrets |= {"app": app.secret, "recovery code": app.recovery_codes[0], "password": "correct horse 7"}
    await Device().register(grace)
    assert (await grace.post("/v1/me/email", json={"email": "grace@new.example"})).status_code == 202
    stranger = await kit.client()
    email = (await grace.get("/v1/me")).json()["email"]
    half = await stranger.post("/v1/auth/password", json={"email": email, "password": "correct horse 7"})
    assert half.json()["status"] == "second_factor_needed"
    secrets["half"] = stranger.cookies["half"]
    await stranger.post("/v1/auth/magic-link", json={"email": email})
    secrets["link"] = token_in((await mailbox(kit, email))[-1])


async def of_the_team(kit: AppKit, grace: httpx2.AsyncClient, secrets: dict[str, str]) -> None:
    """An organization that works, and somebody who is asked to join it."""
    made = await grace.post("/v1/organizations", json={"name": "Compilers"})
    invited = await grace.post(f"/v1/organizations/{made.json()['id']}/invitations", json={"email": "new@example.com"})
    assert invited.status_code == 201, invited.text
    secrets["invitation"] = invitation_in((await mailbox(kit, "new@example.com"))[-1])


async def of_keys(kit: AppKit, grace: httpx2.AsyncClient, secrets: dict[str, str]) -> None:
    """A key, made with an idempotency key, which uses all there is; and a trial."""
    label = {"label": "robot"}
    made = await grace.post("/v1/keys", json=label, headers={"Idempotency-Key": str(uuid4())})
    secrets["key"] = made.json()["secret"]
    robot = await kit.client()
    for _ in range(4):
        assert (await robot.get("/v1/work", headers={"X-API-Key": secrets["key"]})).status_code == 200
    assert (await grace.post("/v1/trials", json={"name": "Pilot"})).status_code == 201
    await kit.runtime.port(CallLog).flush()
