"""What a product says about credits, and what of it is refused."""

from datetime import timedelta

import pytest

from tenantry import Billing, Credits, Google, Plan, Price, Product, Stripe

DAY = timedelta(days=1)


PRICE = Price(900)


def findings(*, of_plan=0, has_credits=True, is_paid=True, price=PRICE, **given):
    plans = [Plan("free", price=0), Plan("pro", price=price, credits=of_plan)]
    billing = Billing(providers=[Stripe()]) if is_paid else None
    credits_ = Credits(**given) if has_credits else None
    product = Product("Acme", sign_in=[Google()], plans=plans, billing=billing, credits=credits_)
    return [one.where for one in product.check() if one.level == "error"]


@pytest.mark.parametrize(
    "given",
    [{}, {"name": "tokens", "expires": 365 * DAY, "on_sign_up": 20}, {"of_plan": 100}, {"has_credits": False}],
)
def test_what_is_right_passes(given):
    assert findings(**given) == []


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"name": " "}, "credits.name"),
        ({"name": "x" * 31}, "credits.name"),
        ({"expires": timedelta(0)}, "credits.expires"),
        ({"expires": 4000 * DAY}, "credits.expires"),
        ({"on_sign_up": -1}, "credits.on_sign_up"),
        ({"on_sign_up": True}, "credits.on_sign_up"),
        ({"of_plan": -1}, "plans[1].credits"),
        ({"of_plan": 1.5}, "plans[1].credits"),
        ({"of_plan": 10**13}, "plans[1].credits"),
        ({"of_plan": 10, "has_credits": False}, "plans[1].credits"),
        ({"of_plan": 10, "is_paid": False}, "plans[1].credits"),
        ({"of_plan": 10, "price": 0}, "plans[1].credits"),
    ],
)
def test_what_is_wrong_is_named(given, where):
    assert findings(**given) == [where]


@pytest.mark.parametrize("given", [{"name": 5}, {"expires": 30}])
def test_what_is_of_another_kind_is_refused_at_its_line(given):
    with pytest.raises(TypeError):
        Credits(**given)
