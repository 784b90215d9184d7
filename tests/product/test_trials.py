"""What a product says about trials, and what of it is refused."""

from datetime import timedelta

import pytest

from tenantry import Google, Meter, Plan, Product, Trials

calls = Meter("calls")


def findings(**given):
    plans = [Plan("free", price=0, limits={calls: 5}), Plan("pro", price=900, limits={calls: 50})]
    trials = Trials(given.pop("plan", "pro"), **given)
    product = Product("Acme", sign_in=[Google()], plans=plans, trials=trials)
    return [one.where for one in product.check() if one.level == "error"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"enterprise_plan": "free"},
        {"most": 1, "extensions": 0},
        {"most": 2, "ever": 1},
        {"extensions": None, "reminders": []},
        {"length": timedelta(hours=1)},
    ],
)
def test_what_is_right_passes(given):
    assert findings(**given) == []


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"plan": "gold"}, "trials.plan"),
        ({"enterprise_plan": "gold"}, "trials.enterprise_plan"),
        ({"length": timedelta(minutes=1)}, "trials.length"),
        ({"length": 14}, "trials.length"),
        ({"most": 0}, "trials.most"),
        ({"ever": 0}, "trials.ever"),
        ({"ever": True}, "trials.ever"),
        ({"extensions": -1}, "trials.extensions"),
        ({"extensions": True}, "trials.extensions"),
        ({"extensions": 1.5}, "trials.extensions"),
        ({"reminders": [timedelta(days=1), timedelta(0)]}, "trials.reminders[1]"),
    ],
)
def test_what_is_wrong_is_named(given, where):
    assert findings(**given) == [where]


def test_a_tier_has_a_plan_also_where_none_is_named_for_it():
    assert (Trials("pro").plan_of("standard"), Trials("pro").plan_of("enterprise")) == ("pro", "pro")
    assert Trials("pro", enterprise_plan="free").plan_of("enterprise") == "free"
