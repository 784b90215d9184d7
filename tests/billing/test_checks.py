"""What `tenantry check` says about being paid."""

import pytest

from billing.conftest import paid_product
from tenantry import Billing, LemonSqueezy, Polar, Settings, Stripe
from tenantry.app.checks import check

SECRET = "whsec_of_the_tests"
SAFE = {"secret_keys": ("k" * 48,), "public_url": "https://acme.example"}


def findings(*providers, **settings):
    product = paid_product(billing=Billing(providers))
    found = check(product, Settings(**{"database_url": "sqlite:///x.db", **settings}))
    paid = [one for one in found if one.where.startswith(("billing", "TENANTRY_STRIPE", "TENANTRY_POLAR"))]
    return [(one.level, one.where, one.problem) for one in paid]


def test_in_development_a_stand_in_takes_their_place():
    assert findings(Stripe(), Polar(), LemonSqueezy("1")) == []


def test_in_production_nobody_can_pay_who_is_not_set_up():
    (found,) = findings(Stripe(), environment="production", **SAFE)
    assert found[:2] == ("warning", "billing.providers[0]")
    assert "TENANTRY_STRIPE_API_KEY and TENANTRY_STRIPE_WEBHOOK_SECRET are unset" in found[2]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stripe_api_key": "sk_test_x"}, "TENANTRY_STRIPE_WEBHOOK_SECRET is unset"),
        ({"stripe_webhook_secret": (SECRET,)}, "TENANTRY_STRIPE_API_KEY is unset"),
    ],
)
def test_half_of_the_credentials_is_told(settings, said):
    (found,) = findings(Stripe(), **settings)
    assert found[0] == "warning"
    assert said in found[2]


def test_lemon_squeezy_needs_its_store():
    known = {"lemonsqueezy_api_key": "key", "lemonsqueezy_webhook_secret": (SECRET,)}
    assert findings(LemonSqueezy("7"), **known) == []
    assert findings(LemonSqueezy(), **known)[0][1] == "billing.providers[0].store"


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        (Stripe(), {"stripe_api_key": "sk_test_x", "stripe_webhook_secret": (SECRET,)}),
        (Stripe(), {"stripe_api_key": "rk_test_x", "stripe_webhook_secret": (SECRET,)}),
        (
            Polar(),
            {
                "polar_access_token": "t",
                "polar_webhook_secret": (SECRET,),
                "polar_base_url": "https://sandbox-api.polar.sh",
            },
        ),
    ],
)
def test_a_test_mode_is_an_error_in_production_and_nothing_in_development(provider, settings):
    assert findings(provider, **settings) == []
    assert [one[0] for one in findings(provider, environment="production", **SAFE, **settings)] == ["error"]
