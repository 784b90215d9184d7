"""What an operator sees of credits and revenue, and how credits are set by hand."""

import csv
from datetime import datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from sqlalchemy import select

from admin.acting import links
from billing.truth import subscription_of
from tenantry.admin.queries import holdings
from tenantry.billing.snapshots import PaymentSnapshot
from tenantry.holders.models import Holders
from tenantry.kernel.database import param, statement
from tenantry.usage.credits import grant, reserve, spend

_holder = statement(select(Holders.id).where(Holders.user_id == param("user")))


@pytest.fixture
async def holder(office) -> UUID:
    """What grace holds."""
    user = UUID((await office.grace.get("/v1/me")).json()["id"])
    async with office.kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_holder, user=user)


async def test_balance_and_expiry_are_set_at_once(office, holder):
    """T-02: both together, by hand, for a reason; and the person sees both."""
    path = f"/admin/credits/{holder}"
    assert "Nobody has any" in await office.see("/admin/credits")
    assert "Nobody has this address" in await office.see("/admin/credits", owner="eve@example.com")
    led = await office.ada.get("/admin/credits", params={"owner": "GRACE@example.com"})
    assert (led.status_code, led.headers["location"]) == (303, path)
    last_day = office.kit.clock.now().date() + timedelta(days=9)
    for typed, said in (
        ({"amount": "12.5", "reason": "x"}, "Write a whole number"),
        ({"amount": "-1", "reason": "x"}, "Write a whole number"),
        ({"amount": "1000000000001", "reason": "x"}, "Write a whole number"),
        ({"amount": "9", "expires": "2020-01-01", "reason": "x"}, "Write a day"),
        ({"amount": "9", "expires": last_day.isoformat()}, "Say why"),
    ):
        refused = await office.ada.post(path, data=typed)
        assert (refused.status_code, said in refused.text) == (422, True), (typed, refused.text)
    assert not await office.audited("credits.set")
    for amount, expires in (("700", ""), ("1200", last_day.isoformat())):
        set_ = await office.ada.post(path, data={"amount": amount, "expires": expires, "reason": "a lost order"})
        assert (set_.status_code, set_.headers["location"]) == (303, f"{path}?done=set"), set_.text
    me = (await office.grace.get("/v1/me")).json()
    assert (me["tokens"], me["tokens_expires_at"]) == (1200, f"{last_day + timedelta(days=1)}T00:00:00Z")
    shown = await office.see(path, done="set")
    for text in ("The credits were set.", "1,200", "Set by an operator", "-700"):
        assert text in shown, text
    # Why is for operators to read, as the form says: it stands in the audit log, not in the person's ledger.
    for own in ("/credits", "/v1/credits/entries", "/v1/credits/export.csv"):
        answer = await office.grace.get(own)
        assert (answer.status_code, "a lost order" in answer.text) == (200, False), own
    assert await office.audited("credits.set") == [(office.operator, "credits.set", str(holder), "a lost order")] * 2
    page = await office.see("/admin/credits")
    assert links(page, "/admin/credits/") == [path]
    assert page.count("grace@example.com") == 2, "largest, and expiring soon"
    await office.kit.move(timedelta(days=11))
    await office.kit.sign_in("ada", client=office.ada)
    assert "Nobody has any" in await office.see("/admin/credits")


async def test_the_largest_balances_are_what_is_there_now_as_their_owners_see_it(office, holder):
    """100 forever and 50 for a day; 30 spent of the 50, which expire first; 40 set aside; the day passes."""
    system, day = office.kit.system, timedelta(days=1)
    others = UUID((await office.ada.get("/v1/me")).json()["id"])
    async with system.service() as ctx:
        await grant(ctx, holder, 100, fact="for good")
        await grant(ctx, holder, 50, fact="for a day", expires_at=office.kit.clock.now() + day)
        # Somebody who had more, and used all of it up.
        await grant(ctx, (others := await ctx.db.one(_holder, user=others)), 900, fact="much")
    await spend(system, 900, holder_id=others)
    await spend(system, 30, holder_id=holder)
    await reserve(system, 40, expires_in=2 * day, holder_id=holder)
    for hours, left, aside in ((0, 120, 40), (24, 100, 40), (24, 100, 0)):
        await office.kit.move(timedelta(hours=hours))
        async with system.service(writes=False) as ctx:
            found = await holdings.largest_balances(ctx.db)
        assert [(one.holder_id, one.amount, one.reserved) for one in found] == [(holder, left, aside)]
        own = (await office.grace.get("/v1/credits")).json()
        assert (own["balance"], own["available"]) == (left, left - aside)
        page = await office.see("/admin/credits")
        assert (f">{left}" in page, "40 set aside for work under way" in page) == (True, aside == 40)


async def test_a_long_ledger_and_many_holders(office, holder):
    async with office.kit.system.service() as ctx:
        for number in range(holdings.SHOWN_MAX + 5):
            await grant(ctx, holder, number + 1, fact=f"gift {number}")
    first = await office.see(f"/admin/credits/{holder}")
    (older,) = [one for one in links(first, f"/admin/credits/{holder}") if "before=" in one]
    second = await office.see(older)
    assert "55" in first
    assert second.count("Granted") == 5
    assert not [one for one in links(second, f"/admin/credits/{holder}") if "before=" in one]


def payment(number: int, at: datetime, **given) -> PaymentSnapshot:
    values = {
        "external_id": f"pay_{number}", "customer": "cus_x", "subscription": "sub_1", "status": "paid",
        "reason": "initial", "amount": 900, "currency": "USD", "paid_at": at,
    }  # fmt: skip
    return PaymentSnapshot(**values | given)


async def test_revenue_on_the_page_and_in_the_file(office, holder):
    """The figures themselves are proven in billing; here they are shown, by provider and plan, and as a file."""
    assert "Nothing was sold yet" in await office.see("/admin/revenue")
    price = office.truth.sell("pro")
    now = office.kit.clock.now()
    await office.deliver(
        office.truth.put(subscription_of(holder, price, external_id="sub_1")),
        office.truth.put(payment(1, now, price=price)),
    )
    page = await office.see("/admin/revenue")
    for text in (
        "Monthly recurring revenue",
        "$9",
        "1 subscription",
        "Mar 2026",
        "Customer churn",
        "USD a month",
        "chart-svg",
    ):
        assert text in page, text
    assert {"/admin/revenue?part=provider%3Afake&months=12", "/admin/revenue?part=plan%3Apro&months=12"} <= set(
        links(page, "/admin/revenue?part")
    )
    narrow = await office.see("/admin/revenue", part="plan:pro", months="3", currency="XXX")
    assert narrow.count("Mar 2026") >= 2
    assert "Dec 2025" not in narrow
    # Sums of what recurs would be no number of anything.
    assert "<strong>9</strong>" not in page
    answer = await office.ada.get("/admin/revenue.csv", params={"months": "2"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(StringIO(answer.text)))
    # Everything, one provider, one plan; two months each; one line of customers, and one of the currency that moved.
    assert [(one["of"], one["name"]) for one in lines if one["currency"]] == [
        ("all", ""), ("provider", "fake"), ("plan", "pro"),
    ]  # fmt: skip
    (whole,) = (one for one in lines if one["of"] == "all" and one["currency"])
    assert (whole["month"], whole["new"], whole["end"], whole["received"]) == ("2026-03", "900", "900", "900")
    (counted,) = (one for one in lines if one["of"] == "all" and one["month"] == "2026-03" and not one["currency"])
    assert (counted["customers_new"], counted["customers_end"]) == ("1", "1")
    for months in ("0", "121", "x"):
        assert (await office.ada.get("/admin/revenue", params={"months": months})).status_code == 422
