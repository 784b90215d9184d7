"""What is said about being paid before the server starts, and what production does not accept."""

import pytest

from billing.conftest import paid_product
from tenantry import Billing, LemonSqueezy, Meter, Plan, Polar, Price, Stripe
from tenantry.app import check
from tenantry.billing.checks import check_billing
from tenantry.kernel import Settings

STRIPE = {"stripe_api_key": "sk_x", "stripe_webhook_secret": ("whsec_x",)}
POLAR = {"polar_access_token": "polar_oat_x", "polar_webhook_secret": ("x",), "polar_base_url": "http://127.0.0.1:9"}
LEMON = {"lemonsqueezy_api_key": "x", "lemonsqueezy_webhook_secret": ("x",)}
LEVELS = [("development", "warning"), ("production", "error")]
requests = Meter("requests", per="day")


def product_of(*providers, **changes):
    return paid_product(billing=Billing(providers=list(providers)), **changes)


def found(product, **settings):
    return [(one.level, one.where) for one in check_billing(product, Settings(**settings))]


@pytest.mark.parametrize(("environment", "level"), LEVELS)
@pytest.mark.parametrize(
    ("provider", "settings"), [(Stripe(), STRIPE), (Polar(), POLAR), (LemonSqueezy(store="1"), LEMON)]
)
def test_a_provider_without_its_credentials(provider, settings, environment, level):
    product, here = product_of(provider), ("billing.providers[0]", environment)
    assert found(product, environment=environment, **settings) == []
    for name in settings:
        if name.endswith("base_url"):
            continue
        fewer = {key: value for key, value in settings.items() if key != name}
        (one,) = check_billing(product, Settings(environment=environment, **fewer))
        assert (one.level, one.where) == (level, here[0])
        assert f"TENANTRY_{name.upper()} is unset" in one.problem
    assert found(product, environment=environment) == [(level, here[0])] * 2


def test_a_blank_secret_is_none():
    assert found(product_of(Stripe()), stripe_api_key="sk_x", stripe_webhook_secret=(" ",)) == [
        ("warning", "billing.providers[0]")
    ]


@pytest.mark.parametrize(("environment", "level"), LEVELS)
def test_lemon_squeezy_without_a_store(environment, level):
    product = product_of(Stripe(), LemonSqueezy())
    assert found(product, environment=environment, **STRIPE, **LEMON) == [(level, "billing.providers[1].store")]


@pytest.mark.parametrize("kind", ["sk", "rk"])
def test_a_key_of_the_wrong_mode(kind):
    product, secret = product_of(Stripe()), {"stripe_webhook_secret": ("whsec_x",)}
    where = "TENANTRY_STRIPE_API_KEY"
    for mode, environment, expected in [
        ("test", "production", [("error", where)]),
        ("test", "development", []),
        ("live", "production", []),
        ("live", "development", [("warning", where)]),
    ]:
        assert found(product, environment=environment, stripe_api_key=f"{kind}_{mode}_1", **secret) == expected


def test_polars_sandbox_is_its_test_mode():
    product, where = product_of(Polar()), "TENANTRY_POLAR_ACCESS_TOKEN"
    sandbox = {**POLAR, "polar_base_url": "https://sandbox-api.polar.sh"}
    market = {**POLAR, "polar_base_url": "https://api.polar.sh"}
    assert found(product, environment="production", **sandbox) == [("error", where)]
    assert found(product, **sandbox) == found(product, environment="production", **market) == []
    assert found(product, **market) == [("warning", where)]


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_key_for_a_provider_that_is_not_declared(environment):
    unused = ("warning", "TENANTRY_POLAR_ACCESS_TOKEN")
    assert found(product_of(Stripe()), environment=environment, **STRIPE, polar_access_token="x") == [unused]
    unpaid = paid_product(billing=None)
    told = [(one.level, one.where) for one in check(unpaid, Settings(environment=environment, polar_access_token="x"))]
    assert told.count(unused) == 1


def test_nothing_to_sell():
    free = Plan("free", price=0, limits={requests: 5})
    soon = Plan("pro", price=None, limits={requests: 50})
    gone = Plan("gone", price=Price(900), limits={requests: 50}, is_active=False)
    yearly = Plan("late", price=None, other_prices=[Price(9000, interval="year")], limits={requests: 50})
    assert found(product_of(Stripe(), plans=[free, soon, gone]), **STRIPE) == [("warning", "plans")]
    assert found(product_of(Stripe(), plans=[free, soon, yearly]), **STRIPE) == []


def test_everybody_without_a_subscription_has_what_is_for_sale():
    dear = Plan("pro", price=900, limits={requests: 50})
    told = check(product_of(Stripe(), plans=[dear]), Settings(**STRIPE))
    assert [(one.level, one.where) for one in told if one.where == "default_plan"] == [("warning", "default_plan")]


def test_no_finding_holds_a_secret():
    product = product_of(Stripe(), Polar())
    settings = Settings(stripe_api_key="sk_live_hunter2", polar_access_token="hunter2", lemonsqueezy_api_key="hunter2")
    told = check_billing(product, settings)
    assert len(told) >= 4
    assert "hunter2" not in " ".join(map(str, told))
