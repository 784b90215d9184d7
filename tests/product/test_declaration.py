"""The declaration types: immutable, compared by value, fit for keys; the look-ups of a product."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantry.product
from tenantry.product import (
    UNLIMITED,
    Burst,
    Count,
    DataSource,
    Finding,
    Gauge,
    GitHub,
    Google,
    Limited,
    Meter,
    OpenIDConnect,
    Plan,
    Price,
    Product,
)

# The same door, for calls that the type checker would refuse.
untyped: Any = tenantry.product
REQUESTS = Meter("requests", per="day")
STORAGE = Gauge("storage")
DAILY = 100
KEYS = Count("keys")
PRICES = DataSource("Prices", key="prices", description="", availability="free", status="active", adapter=object())
SIGNALS = DataSource("Signals", key="signals", description="", availability="pro", status="planned")


def product() -> Product:
    return Product(
        "Coinlens",
        sign_in=[Google(), GitHub()],
        plans=[
            Plan("free", price=0, limits={REQUESTS: DAILY, KEYS: 2, STORAGE: 1000}),
            Plan("pro", price=Price(900, lookup="pro"), limits={REQUESTS: UNLIMITED, KEYS: 10, STORAGE: 5000}),
            Plan("old", price=500, limits={REQUESTS: 500, KEYS: 5, STORAGE: 2000}, is_active=False),
        ],
        sources=[PRICES, SIGNALS],
    )


@pytest.mark.parametrize(
    "declared",
    [
        REQUESTS,
        STORAGE,
        KEYS,
        PRICES,
        Price(1),
        Burst(1),
        Plan("free", price=0, limits={REQUESTS: 1}),
        Google(),
        GitHub(),
        OpenIDConnect(),
        Finding("error", "plans", "None.", "Add one."),
        product(),
    ],
    ids=lambda declared: type(declared).__name__,
)
def test_every_declared_thing_is_immutable_hashable_and_can_be_copied(declared: object) -> None:
    for field in fields(declared):  # type: ignore[arg-type]
        if field.name != "_":
            with pytest.raises(FrozenInstanceError):
                setattr(declared, field.name, "changed")
    assert hash(declared) == hash(copy.copy(declared))
    assert copy.copy(declared) == declared
    if declared is not PRICES and not isinstance(declared, Product):
        assert pickle.loads(pickle.dumps(declared)) == declared


def test_a_product_does_not_follow_the_lists_it_was_made_from() -> None:
    limits: dict[Limited, int | None] = {REQUESTS: DAILY}
    plans = [Plan("free", price=0, limits=limits)]
    made = Product("Coinlens", sign_in=[Google()], plans=plans)
    limits[REQUESTS] = 1
    plans.clear()
    assert made.limit("free", REQUESTS) == DAILY
    with pytest.raises(TypeError):
        made.plans[0].limits[REQUESTS] = 1  # type: ignore[index]


def test_equal_declarations_are_equal_and_different_kinds_are_not() -> None:
    assert product() == product()
    assert hash(product()) == hash(product())
    assert Meter("requests") == Meter("requests", per="day") != Meter("requests", per="month")
    assert len({Meter("x"), Count("x"), Gauge("x")}) == len([Meter, Count, Gauge])
    assert Plan("free", price=0, limits={REQUESTS: 1}) != Plan("free", price=0, limits={REQUESTS: 2})
    assert {REQUESTS: "found"}[Meter("requests")] == "found"
    assert replace(product(), name="Other") != product()


def test_modules_need_not_be_hashable() -> None:
    assert isinstance(hash(Product("Coinlens", modules=[{}])), int)


@pytest.mark.parametrize(
    ("misuse", "says"),
    [
        (lambda: untyped.Meter(1), "Meter: name must be a string, not int"),
        (lambda: untyped.Count(None), "Count: name must be a string, not None"),
        (
            lambda: untyped.Plan("free", price=0, limits={"requests": 1}),
            "limits, key 1 must be Meter or Gauge or Count, not str",
        ),
        (lambda: untyped.Plan("free", price=0, limits=[REQUESTS]), "limits must be Mapping, not list"),
        (lambda: untyped.Plan("free", price=0, features="Fast"), "features must be a list, not str"),
        (lambda: untyped.Plan("free", price=0, burst=5), "burst must be Burst or None, not int"),
        (lambda: untyped.Meter("calls", fail_open="yes"), "fail_open must be bool, not str"),
        (lambda: untyped.Product("Coinlens", plans=["free"]), r"plans\[0\] must be Plan, not str"),
        (lambda: untyped.Product("Coinlens", plans=Plan("free", price=0)), "plans must be a list, not Plan"),
        (
            lambda: untyped.Product("Coinlens", sign_in=[Google]),
            r"sign_in\[0\] must be Google or GitHub or OpenIDConnect",
        ),
        (
            lambda: untyped.Product("Coinlens", meter_of_sources="requests"),
            "meter_of_sources must be Meter or None, not str",
        ),
        (lambda: untyped.Product("Coinlens", modules="keys"), "modules must be a list, not str"),
        (lambda: untyped.Product("Coinlens", default_plan=1), "default_plan must be a string, not int"),
    ],
)
def test_plain_type_misuse_raises_where_it_is_written(misuse: Callable[[], object], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        misuse()


def test_what_is_left_out_has_the_documented_default() -> None:
    made = product()
    assert made.default_plan == "free"
    assert made.default is made.plans[0]
    assert made.meter_of_sources == REQUESTS
    assert (made.session_lifetime, made.session_lifetime_max) == (timedelta(minutes=60), timedelta(days=90))
    assert (made.sliding, made.billed, made.modules) == (False, "user", ())
    plan = Plan("early_bird", price=None)
    assert (plan.display_name, plan.is_active, plan.priority, plan.burst) == ("Early Bird", True, 0, None)
    assert Plan("pro", price=None, display_name="PRO").display_name == "PRO"
    assert (Meter("x").per, Gauge("x").unit) == ("day", "bytes")
    assert Price(900) == Price(900, "USD", "month", lookup=None)


def test_a_price_declared_as_a_number_is_read_as_a_price() -> None:
    assert Plan("free", price=0).priced == Price(0)
    assert Plan("pro", price=900).priced == Price(900, "USD", "month")
    assert Plan("pro", price=Price(5, "EUR")).priced == Price(5, "EUR")
    assert Plan("later", price=None).priced is None
    assert [Plan("p", price=price).is_free for price in (0, Price(0), 1, None)] == [True, True, False, False]


def test_plan_look_up_falls_back_to_the_default_plan() -> None:
    made = replace(product(), default_plan="pro")
    assert made.plan("old").name == "old"
    assert made.plan("gone") is made.default
    assert made.default.name == "pro"
    assert replace(product(), default_plan="gone").default.name == "free"
    with pytest.raises(LookupError, match="declares no plans"):
        Product("Empty").plan("free")


def test_limits_by_plan() -> None:
    made = product()
    assert made.limit("free", REQUESTS) == DAILY
    assert made.limit("pro", REQUESTS) is UNLIMITED
    assert made.limit("gone", REQUESTS) == DAILY
    assert made.limit("pro", Count("unheard_of")) == 0


def test_meters_gauges_and_counts_by_first_mention() -> None:
    made = product()
    assert made.limited == (REQUESTS, KEYS, STORAGE)
    assert (made.meters, made.gauges, made.counts) == ((REQUESTS,), (STORAGE,), (KEYS,))
    assert made.meter("requests") == REQUESTS
    for name in ("keys", "nothing"):
        with pytest.raises(KeyError):
            made.meter(name)


def test_sources_by_key() -> None:
    assert product().source("signals") is SIGNALS
    with pytest.raises(KeyError):
        product().source("Signals")


@pytest.mark.parametrize(
    ("plan", "source", "allowed"),
    [
        ("free", PRICES, True),
        ("pro", PRICES, True),
        ("free", SIGNALS, False),
        ("pro", SIGNALS, True),
        ("old", SIGNALS, True),
        ("gone", PRICES, True),
        ("gone", SIGNALS, False),
        ("pro", replace(PRICES, availability="nobody"), False),
    ],
)
def test_a_source_is_open_to_its_plan_and_every_later_one(plan: str, source: DataSource, allowed: bool) -> None:
    assert product().plan_allows(plan, source) is allowed


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.data())
def test_order_is_declared_order_and_what_a_plan_may_call_every_later_one_may(
    names: list[str], data: st.DataObject
) -> None:
    made = Product("P", plans=[Plan(name, price=0) for name in names])
    assert list(made.order) == names
    assert [made.order[name] for name in names] == list(range(len(names)))
    source = replace(PRICES, availability=data.draw(st.sampled_from(names)))
    allowed = [made.plan_allows(name, source) for name in names]
    assert allowed == [rank >= names.index(source.availability) for rank in range(len(names))]


@given(st.dictionaries(NAMES, st.none() | st.integers(min_value=1), max_size=6))
def test_limits_compare_and_hash_by_value_whatever_their_order(amounts: dict[str, int | None]) -> None:
    forward = Plan("p", price=0, limits={Meter(name): amount for name, amount in amounts.items()})
    backward = Plan("p", price=0, limits={Meter(name): amounts[name] for name in reversed(amounts)})
    assert forward == backward
    assert hash(forward) == hash(backward)
    assert list(forward.limits) == [Meter(name) for name in amounts]
    assert forward.limits == {Meter(name): amount for name, amount in amounts.items()}
    assert repr(forward.limits) == repr(dict(forward.limits))
