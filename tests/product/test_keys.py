"""What a declaration may say about keys and trials."""

from datetime import timedelta

import pytest

from tenantry import Count, Google, Keys, Meter, Plan, Product, Scope, Trials

requests, api_keys = Meter("requests"), Count("api_keys")


def product(**changes):
    plans = [
        Plan("free", price=0, limits={requests: 5, api_keys: 1}),
        Plan("pro", price=900, limits={requests: 50, api_keys: 9}),
    ]
    return Product("Acme Data", **{"sign_in": [Google()], "plans": plans, **changes})


def test_a_product_with_keys_and_trials_is_right():
    keys = Keys("acme", meter=requests, count=api_keys, scopes=[Scope("screen:write", "Screens a name.")])
    assert product(keys=keys, trials=Trials("pro", enterprise_plan="pro")).check() == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"keys": Keys("Acme")}, "keys.prefix"),
        ({"keys": Keys("a" * 17)}, "keys.prefix"),
        ({"keys": Keys(meter=Meter("calls"))}, "keys.meter"),
        ({"keys": Keys(count=Count("keys"))}, "keys.count"),
        ({"keys": Keys(scopes=[Scope("Screen!", "x")])}, "keys.scopes[0]"),
        ({"keys": Keys(scopes=[Scope("screen", " ")])}, "keys.scopes[0]"),
        ({"keys": Keys(scopes=[Scope("authorize", "x")])}, "keys.scopes[0]"),
        ({"keys": Keys(scopes=[Scope("screen", "x"), Scope("screen", "y")])}, "keys.scopes[1]"),
        ({"keys": Keys(grace=timedelta(days=31))}, "keys.grace"),
        ({"keys": Keys(grace=3600)}, "keys.grace"),
        ({"keys": Keys(calls_kept=timedelta(0))}, "keys.calls_kept"),
        ({"keys": Keys(log_bodies=1)}, "keys.log_bodies"),
        ({"keys": Keys(body_bytes_max=0)}, "keys.body_bytes_max"),
        ({"trials": Trials("gold")}, "trials.plan"),
        ({"trials": Trials("pro", enterprise_plan="gold")}, "trials.enterprise_plan"),
        ({"trials": Trials("pro", length=timedelta(minutes=1))}, "trials.length"),
        ({"trials": Trials("pro", most=0)}, "trials.most"),
        ({"trials": Trials("pro", reminders=[timedelta(0)])}, "trials.reminders[0]"),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_with_its_place(changes, where):
    assert [finding.where for finding in product(**changes).check()] == [where]


@pytest.mark.parametrize("changes", [{"keys": "acme"}, {"trials": "pro"}], ids=str)
def test_another_type_is_refused_where_it_is_written(changes):
    with pytest.raises(TypeError):
        product(**changes)


def test_a_prefix_is_made_from_the_name():
    assert product().key_prefix == "acmedata"
    assert product(keys=Keys("acme")).key_prefix == "acme"
    assert Product("99 Ünits", plans=[Plan("free", price=0)]).key_prefix == "nits"
    assert Product("日本", plans=[Plan("free", price=0)]).key_prefix == "key"


def test_calls_are_counted_on_the_first_meter_without_another_word():
    assert product(keys=Keys()).meter_of_keys is requests
    assert product(keys=Keys(meter=requests)).meter_of_keys is requests
    assert Product("Acme", plans=[Plan("free", price=0)]).meter_of_keys is None


def test_a_workspace_has_its_tiers_plan():
    assert Trials("pro").plan_of("enterprise") == "pro"
    assert Trials("free", enterprise_plan="pro").plan_of("enterprise") == "pro"
    assert Trials("free", enterprise_plan="pro").plan_of("standard") == "free"
