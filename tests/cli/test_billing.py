"""`tenantry billing`: in line with the provider, what it told, and what is nobody's. T-07: `tenantry billing sync`."""

import json
from uuid import uuid4

import httpx2
import pytest

from tenantry.billing.demo import DEMO_KEY
from tenantry.blueprints import load_product
from tenantry.testing.standins import start_billing

PRODUCT = """\
from tenantry import Billing, Google, Meter, Plan, Product, Stripe

requests = Meter("requests", per="day")
product = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={requests: 5}), Plan("pro", price=900, limits={requests: 50})],
    billing=Billing(providers=[Stripe()]),
)
"""


@pytest.fixture
def shop(empty_folder):
    path = empty_folder / "product.py"
    path.write_text(PRODUCT)
    with start_billing(load_product(str(path))) as standin:
        yield standin


@pytest.fixture
def billing(settings, shop, tenantry):
    assert tenantry("db", "migrate", **settings).status == 0

    def call(*arguments):
        return tenantry("billing", *arguments, **settings, TENANTRY_DEMO_BILLING=shop.url)

    return call


@pytest.fixture
def bought(shop):
    """A subscription there, of which nobody here was told."""
    with httpx2.Client(base_url=shop.url, headers={"authorization": f"Bearer {DEMO_KEY}"}) as api:
        holder = str(uuid4())
        customer = api.post("/v1/customers", json={"holder_id": holder, "email": "ada@example.com"}).json()["item"]
        urls = {"success_url": "http://127.0.0.1:8000/billing", "cancel_url": "http://127.0.0.1:8000/pricing"}
        wanted = {"holder_id": holder, "customer": customer["id"], "price": "price_pro_month"}
        page = api.post("/v1/checkouts", json=wanted | urls).json()["url"]
    return shop.pay(page)


def test_t_07_sync_says_what_differs_repairs_it_and_finds_nothing_the_second_time(billing, bought):
    for arguments, differs in [(["--dry-run"], True), (["--dry-run"], True), ([], True), ([], False)]:
        answer = billing("sync", "--json", *arguments)
        assert answer.status == 0, answer.err
        told = json.loads(answer.out)
        assert told["dry_run"] is (arguments == ["--dry-run"])
        (one,) = told["providers"]
        assert (one["provider"], one["seen"]["subscription"]) == ("fake", 1)
        missing = {"kind": "subscription", "id": bought, "difference": "missing"}
        assert (missing in one["drift"]) is differs
        assert bool(one["drift"]) is differs
    assert "All of it is the same here." in billing("sync").out


def test_a_purchase_that_is_nobodys_is_shown_and_can_be_claimed_by_nobody_unknown(billing, bought):
    assert billing("unlinked").out == "Every purchase has its owner.\n"
    assert billing("sync").status == 0
    (one,) = json.loads(billing("unlinked", "--json").out)["items"]
    assert (one["external_id"], one["plan"], one["status"]) == (bought, "pro", "active")
    assert bought in billing("unlinked").out
    refused = billing("claim", one["id"], "ada@example.com", "--reason", "she says so")
    assert refused.status == 1
    assert "Nobody here has proven the address ada@example.com." in refused.err


def test_revenue_is_told_in_words_and_in_json(billing, bought):
    assert billing("revenue", "--months", "1").out.startswith("Monthly recurring revenue now: nothing; 0 trials")
    assert billing("sync").status == 0
    said = billing("revenue", "--months", "2").out
    assert (
        "Monthly recurring revenue now: 900 USD; 0 trials running.\nBy provider: fake 900 USD\nBy plan: pro 900" in said
    )
    assert "customers  0 +1 new +0 back -0 left = 1, churn -" in said
    assert "USD recurring  0 +900 new = 900, churn -" in said
    told = json.loads(billing("revenue", "--json").out)
    assert (len(told["total"]["months"]), told["total"]["mrr"]) == (12, {"USD": 900})
    money = told["by_plan"]["pro"]["months"][-1]["money"]["USD"]
    assert (money["new"], money["received"], money["net"], money["churn_rate"]) == (900, 900, 900, None)


def test_there_are_no_events_until_one_is_told(billing):
    assert json.loads(billing("events", "--json").out) == {"counts": [], "items": []}
    assert json.loads(billing("replay", "--dead", "--json").out) == {"replayed": 0}
    nobody = billing("replay", str(uuid4()))
    assert nobody.status == 1
    assert "There is no event" in nobody.err
    assert billing("replay").status == 1


def test_a_provider_that_does_not_answer_is_told(billing, shop):
    shop.fault("away")
    answer = billing("sync")
    assert answer.status == 1
    assert "What was done until then stays; try again." in answer.err


def test_a_product_without_billing_is_told(settings, product, tenantry):
    assert tenantry("db", "migrate", **settings).status == 0
    refused = tenantry("billing", "sync", **settings)
    assert refused.status == 1
    assert "This product has no billing." in refused.err
