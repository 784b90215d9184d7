"""`/v1/credits`, `/credits`, the dashboard's card, `/v1/me`, and a route that costs credits."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import APIRouter

from tenantry import Credits, Google, Keys, Meter, Module, Plan, Product
from tenantry.fastapi import Costs
from tenantry.holders import by_user
from tenantry.identity.operating import appoint
from tenantry.keys.service_keys import issue_for
from tenantry.testing import START, AppKit
from tenantry.usage.credits import Spent, balance, give, grant, reserve
from usage.people import signed_in

calls = Meter("calls")
DAY = timedelta(days=1)
router = APIRouter()


@router.post("/v1/reports")
async def make_report(spent: Annotated[Spent, Costs(5, label="A report")]) -> dict[str, int]:
    """Make a report."""
    return {"left": spent.balance}


@router.get("/v1/samples")
async def read_sample(
    spent: Annotated[Spent | None, Costs(lambda asked: int(asked.query_params.get("size", "0")))],
) -> dict[str, bool]:
    """Show a sample."""
    return {"is_free": spent is None}


PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={calls: 100})],
    keys=Keys("acme"),
    credits=Credits("tokens", expires=30 * DAY, on_sign_up=100),
    modules=[Module("reports", routers=[router])],
)


@pytest.fixture
async def kit(start) -> AppKit:
    found: AppKit = await start(PRODUCT)
    return found


@pytest.fixture
async def ada(kit):
    return await kit.sign_in("ada")


async def holder_of(kit, person):
    user = UUID((await person.get("/v1/me")).json()["id"])
    async with kit.system.service(writes=False) as ctx:
        return (await by_user(ctx.db, user)).id, user


def told(answer: httpx2.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


async def test_t_02_tokens_and_their_expiry_are_shown_on_the_user(kit, ada, statements):
    me = (await ada.get("/v1/me")).json()
    assert (me["tokens"], me["tokens_expires_at"]) == (100, "2026-04-13T12:00:00Z")
    holder, _ = await holder_of(kit, ada)
    async with kit.system.service() as ctx:
        await grant(ctx, holder, 7, fact="sooner", expires_at=START + DAY)
    with statements(kit) as ran:
        me = (await ada.get("/v1/me")).json()
        assert ran() == 2
    assert (me["tokens"], me["tokens_expires_at"]) == (107, "2026-03-15T12:00:00Z")
    await kit.set_time(START + 30 * DAY)
    ada = await kit.sign_in("ada")
    me = (await ada.get("/v1/me")).json()
    assert (me["tokens"], me["tokens_expires_at"]) == (0, None)


async def test_a_person_sees_and_spends_their_own(kit, ada):
    holder, user = await holder_of(kit, ada)
    async with kit.system.service() as ctx:
        await give(ctx, holder, 20, reason="for the trouble")
    await reserve(await signed_in(kit, user), 15, expires_in=DAY)
    seen = (await ada.get("/v1/credits")).json()
    shown = {key: seen[key] for key in ("name", "balance", "reserved", "available", "expiring", "next_expiry")}
    assert shown == {
        "name": "tokens", "balance": 120, "reserved": 15, "available": 105, "expiring": 100,
        "next_expiry": "2026-04-13T12:00:00Z",
    }  # fmt: skip
    assert [(one["reason"], one["remaining"]) for one in seen["grants"]] == [("gift", 100), ("admin", 20)]

    spent = {"amount": 30, "reference": "report:1", "label": "=1+1"}
    answers = [await ada.post("/v1/credits/spend", json=spent) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert [one.json()["balance"] for one in answers] == [90, 90]
    keyed = [
        await ada.post("/v1/credits/spend", json={"amount": 1}, headers={"Idempotency-Key": "once"}) for _ in range(3)
    ]
    assert [one.json()["number"] for one in keyed] == [4, 4, 4]
    assert told(await ada.post("/v1/credits/spend", json={**spent, "amount": 31})) == (
        409, "usage.credits_spent_otherwise",
    )  # fmt: skip
    refused = await ada.post("/v1/credits/spend", json={"amount": 75})
    assert told(refused) == (402, "usage.credits_insufficient")
    members = ("needed", "available", "reserved", "credits", "buy_at")
    assert [refused.json()[key] for key in members] == [
        75,
        74,
        15,
        "tokens",
        f"{kit.runtime.settings.public_url}/pricing",
    ]
    for wrong in ({"amount": 0}, {"amount": 10**13}, {"amount": 1, "reference": " "}, {"amount": 1, "more": 1}, {}):
        assert (await ada.post("/v1/credits/spend", json=wrong)).status_code == 422

    ledger = (await ada.get("/v1/credits/entries?limit=2")).json()
    assert [(one["kind"], one["amount"], one["balance_after"]) for one in ledger["items"]] == [
        ("spend", -1, 89), ("spend", -30, 90),
    ]  # fmt: skip
    older = (await ada.get("/v1/credits/entries", params={"cursor": ledger["next_cursor"]})).json()
    assert ([one["number"] for one in older["items"]], older["next_cursor"]) == ([2, 1], None)
    assert [one["number"] for one in (await ada.get("/v1/credits/entries?offset=3")).json()["items"]] == [1]
    file = await ada.get("/v1/credits/export.csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.text.split("\r\n")[:3] == [
        "number,at,kind,amount,balance_after,label,reference",
        "4,2026-03-14T12:00:00Z,spend,-1,89,,",
        "3,2026-03-14T12:00:00Z,spend,-30,90,'=1+1,report:1",
    ]
    grace = await kit.sign_in("grace")
    assert (await grace.get("/v1/credits")).json()["balance"] == 100
    assert len((await grace.get("/v1/credits/entries")).json()["items"]) == 1


async def test_a_service_in_another_language_spends_and_reserves_for_its_people(kit, ada):
    holder, _ = await holder_of(kit, ada)
    grace = await kit.sign_in("grace")
    own = await kit.client(**{"X-API-Key": (await ada.post("/v1/keys", json={"label": "own"})).json()["secret"]})
    service_key = (await issue_for(kit.system, "grace@example.com", label="service", scopes=["authorize"])).secret
    service = await kit.client(**{"X-API-Key": service_key})
    body, reservations = {"amount": 10, "holder_id": str(holder)}, "/v1/credits/reservations"

    assert (await own.post("/v1/credits/spend", json=body)).json()["balance"] == 90
    for stranger in (grace, await kit.client()):
        assert (await stranger.post("/v1/credits/spend", json=body)).status_code in {401, 403}
        assert (await stranger.get(f"/v1/credits?holder_id={holder}")).status_code in {401, 403}
    for whoever in (own, ada):
        assert told(await whoever.post(reservations, json=body)) == (403, "request.forbidden")
    assert (await service.post("/v1/credits/spend", json=body)).json()["balance"] == 80
    assert (await service.get(f"/v1/credits?holder_id={holder}")).json()["available"] == 80

    made = await service.post(reservations, json={**body, "expires_in": 60})
    assert (made.status_code, made.json()["status"]) == (201, "held")
    at = f"{reservations}/{made.json()['id']}"
    settling = {"used": 100, "holder_id": str(holder)}
    for whoever in (own, ada, grace):
        assert told(await whoever.post(f"{at}/settle", json=settling)) == (403, "request.forbidden")
    assert told(await service.post(f"{at}/settle", json={"used": 1})) == (404, "usage.credit_reservation_not_found")
    done = (await service.post(f"{at}/settle", json=settling)).json()
    assert (done["settled"], done["missing"]) == (80, 20)
    assert told(await service.post(f"{at}/release", json={"holder_id": str(holder)})) == (
        409, "usage.credit_reservation_conflict",
    )  # fmt: skip
    other = (await service.post(reservations, json={"amount": 5})).json()
    assert (await service.post(f"{reservations}/{other['id']}/release")).json()["status"] == "released"
    assert told(await service.post(f"{reservations}/{uuid4()}/release")) == (404, "usage.credit_reservation_not_found")


async def test_a_route_that_costs_credits(kit, ada):
    assert [(await ada.post("/v1/reports")).json()["left"] for _ in range(20)][-1] == 0
    assert told(await ada.post("/v1/reports")) == (402, "usage.credits_insufficient")
    stranger = await kit.client()
    assert (await stranger.post("/v1/reports")).status_code == 401
    assert (await stranger.get("/v1/samples")).json() == {"is_free": True}
    assert (await ada.get("/v1/samples?size=1")).status_code == 402
    assert "402" in kit.app.openapi()["paths"]["/v1/reports"]["post"]["responses"]


async def test_an_operator_who_may_only_look_spends_nothing_of_theirs(kit, ada):
    """Not by what is only read either: a GET may cost credits."""
    grace, hers = await kit.sign_in("grace"), (await ada.get("/v1/me")).json()["id"]
    await appoint(kit.system, "grace@example.com", reason="the first")
    looked = f"/admin/users/{hers}/impersonate"
    for may_write, status, left in (("", 403, 100), ("true", 200, 97)):
        assert (await grace.post(looked, data={"reason": "a question", "may_write": may_write})).status_code == 303
        assert (await grace.get("/v1/samples", params={"size": 3})).status_code == status
        assert (await grace.get("/v1/samples")).status_code == 200
        assert (await ada.get("/v1/credits")).json()["balance"] == left
        await grace.post("/auth/impersonation/end")


async def test_the_page_and_the_card_tell_the_balance_and_the_ledger(kit, ada, statements):
    _, user = await holder_of(kit, ada)
    ctx = await signed_in(kit, user)
    for number in range(30):
        assert (await ada.post("/v1/credits/spend", json={"amount": 1, "label": f"Report {number}"})).status_code == 201
    await reserve(ctx, 5, expires_in=DAY)
    with statements(kit) as ran:
        first = await ada.get("/credits")
        assert ran() == 3
    for words in ("Tokens", "Report 29", "Report 5", "A gift", "5 set aside for work under way", "/credits?before="):
        assert words in first.text, words
    assert "Report 4<" not in first.text
    older = await ada.get("/credits?before=7")
    assert "Report 4" in older.text
    assert "Report 5" not in older.text
    card = (await ada.get("/dashboard")).text
    assert "Report 29" in card
    assert "Report 20" not in card
    assert (await balance(ctx)).available == 65
    bare = await kit.sign_in("grace")
    assert "Nothing yet" not in (await bare.get("/credits")).text
