"""Every finding of Product.check(): one fault, one finding, at its place, with its fix."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.product import (
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
    Password,
    Plan,
    Price,
    Product,
    check_product,
    nearest,
)

REQUESTS = Meter("requests")
FREE = Plan("free", price=0, limits={REQUESTS: 100}, features=["Slow"])
PRO = Plan("pro", price=900, limits={REQUESTS: 1000}, features=["Fast"])
PRICES = DataSource("Prices", key="prices", description="", availability="free", status="active", adapter=object())
NEWS = DataSource("News", key="crypto-news", description="", availability="pro", status="planned")
GOOD = Product("Coinlens", sign_in=[Google(), GitHub()], plans=[FREE, PRO], sources=[PRICES, NEWS])


def only(product: Product) -> Finding:
    findings = product.check()
    assert len(findings) == 1, findings
    return findings[0]


def with_pro(**changed: Any) -> Product:
    return replace(GOOD, plans=[FREE, replace(PRO, **changed)])


def with_limits(limits: Mapping[Limited, Any]) -> Product:
    return replace(GOOD, plans=[replace(FREE, limits=limits)], sources=[], meter_of_sources=None)


def with_source(**changed: Any) -> Product:
    return replace(GOOD, sources=[PRICES, replace(NEWS, **changed)])


def test_a_good_declaration_has_no_findings() -> None:
    assert GOOD.check() == check_product(GOOD) == []


FAULTS: list[tuple[Product, str, str]] = [
    (replace(GOOD, name=" "), "name", "has no name"),
    (replace(GOOD, name="x" * 81), "name", "81 characters"),
    (replace(GOOD, billed="team"), "billed", '"team" cannot hold a plan'),  # type: ignore[arg-type]
    (replace(GOOD, session_lifetime=60), "session_lifetime", "60 is not a length of time"),  # type: ignore[arg-type]
    (replace(GOOD, session_lifetime=timedelta(seconds=59)), "session_lifetime", "one minute or longer"),
    (replace(GOOD, session_lifetime=timedelta(days=400, seconds=1)), "session_lifetime", "400 days or shorter"),
    (replace(GOOD, session_lifetime_max=90), "session_lifetime_max", "90 is not a length of time"),  # type: ignore[arg-type]
    (replace(GOOD, session_lifetime_max=timedelta(days=401)), "session_lifetime_max", "400 days or shorter"),
    (
        replace(GOOD, sliding=True, session_lifetime=timedelta(days=91)),
        "session_lifetime_max",
        "before one session_lifetime is over",
    ),
    (replace(GOOD, sliding=1), "sliding", "neither True nor False"),  # type: ignore[arg-type]
    (replace(GOOD, sign_in=[]), "sign_in", "Nobody can sign in"),
    (replace(GOOD, sign_in=[Google(), Google()]), "sign_in[1]", '"google" is there twice'),
    (replace(GOOD, sign_in=[OpenIDConnect(), OpenIDConnect(label="Other")]), "sign_in[1]", '"oidc" is there twice'),
    (replace(GOOD, sign_in=[OpenIDConnect("My SSO")]), "sign_in[0].name", '"My SSO" cannot be a name'),
    (replace(GOOD, sign_in=[OpenIDConnect("signout")]), "sign_in[0].name", "the address of another page"),
    (replace(GOOD, sign_in=[OpenIDConnect(label="")]), "sign_in[0].label", "no words"),
    (replace(GOOD, sign_in=[Password(length_min=6)]), "sign_in[0].length_min", "are guessed"),
    (replace(GOOD, sign_in=[Password(length_min=65)]), "sign_in[0].length_min", "Nobody types"),
    (replace(GOOD, sign_in=[Password(), Password()]), "sign_in[1]", '"password" is there twice'),
    (replace(GOOD, sign_in=[OpenIDConnect("confirm")]), "sign_in[0].name", "the address of another page"),
    (replace(GOOD, plans=[]), "plans", "There are no plans"),
    (replace(GOOD, plans=[FREE, PRO, FREE]), "plans[2].name", '"free" too'),
    (replace(GOOD, default_plan="fre"), "default_plan", 'Did you mean "free"?'),
    (replace(GOOD, default_plan="gold"), "default_plan", 'Use "free" or "pro".'),
    (replace(GOOD, plans=[replace(FREE, is_active=False), PRO]), "default_plan", "not active"),
    (replace(with_pro(name="Pro"), sources=[]), "plans[1].name", '"Pro" cannot be a name'),
    (with_pro(is_active=1), "plans[1].is_active", "neither True nor False"),
    (with_pro(priority=True), "plans[1].priority", "True is not a whole number"),
    (with_pro(features=["Fast", 7]), "plans[1].features[1]", "7 is not a line of text"),
    (with_pro(features=[""]), "plans[1].features[0]", "'' is not a line of text"),
    (with_pro(price=-1), "plans[1].price", "The price is negative: -1"),
    (with_pro(price=Price(-1)), "plans[1].price", "The price is negative: -1"),
    (with_pro(price=9.99), "plans[1].price", "9.99 is not a whole number"),
    (with_pro(price=True), "plans[1].price", "True is not a whole number"),
    (with_pro(price=Price(9.5)), "plans[1].price", "9.5 is not a whole number"),  # type: ignore[arg-type]
    (with_pro(price=Price(9, "usd")), "plans[1].price", '"usd" is no currency'),
    (with_pro(price=Price(9, "DOLLAR")), "plans[1].price", '"DOLLAR" is no currency'),
    (with_pro(price=Price(9, interval="monthly")), "plans[1].price", 'Did you mean "month"?'),  # type: ignore[arg-type]
    (with_pro(price=Price(9, lookup=" ")), "plans[1].price", "lookup key is empty"),
    (with_pro(burst=Burst(0)), "plans[1].burst.calls", "0 is not a whole number above 0"),
    (with_pro(burst=Burst(1, seconds=0.5)), "plans[1].burst.seconds", "0.5 is not"),  # type: ignore[arg-type]
    (with_pro(limits={}), "plans[1].limits", "Add a limit for requests, or UNLIMITED"),
    (with_limits({REQUESTS: 2**62 + 1}), "plans[0].limits", "is more than is ever counted"),
    (with_limits({REQUESTS: 0}), "plans[0].limits", "is 0, not a whole number above 0"),
    (with_limits({REQUESTS: -5}), "plans[0].limits", "is -5"),
    (with_limits({REQUESTS: 1.5}), "plans[0].limits", "is 1.5"),
    (with_limits({REQUESTS: "100"}), "plans[0].limits", "is '100'"),
    (with_limits({REQUESTS: True}), "plans[0].limits", "is True"),
    (with_limits({Meter("API calls"): 1}), "Meter('API calls')", "cannot be a name"),
    (with_limits({Meter("x" * 51): 1}), f"Meter('{'x' * 51}')", "cannot be a name"),
    (with_limits({Meter("x", per="daily"): 1}), "Meter('x')", 'Did you mean "day"?'),  # type: ignore[arg-type]
    (with_limits({Gauge("x", unit="Mega bytes"): 1}), "Gauge('x')", "cannot be a unit"),
    (with_limits({Meter("x", notices=(0, 100)): 1}), "Meter('x')", "Nobody can be told at 0 percent"),
    (with_limits({Meter("x", notices=(80, 101)): 1}), "Meter('x')", "from 1 to 100"),
    (with_limits({Meter("x", notices=(100, 80)): 1}), "Meter('x')", "the smallest first: (80, 100)"),
    (with_limits({Meter("x", notices=(80, 80)): 1}), "Meter('x')", "Write each once"),
    (with_limits({Meter("x"): 1, Count("x"): 1}), "Count('x')", 'are called "x"'),
    (with_limits({Meter("x"): 1, Meter("x", per="month"): 1}), "Meter('x')", 'are called "x"'),
    (replace(GOOD, meter_of_sources=Meter("calls")), "meter_of_sources", 'No plan limits "calls"'),
    (with_source(name="Prices"), "sources[1].name", 'called "Prices" too'),
    (with_source(name=""), "sources[1].name", "has no name"),
    (with_source(key="prices"), "sources[1].key", 'key "prices" too'),
    (with_source(key="Crypto News"), "sources[1].key", "cannot stand in an address"),
    (with_source(key="x" * 51), "sources[1].key", "cannot stand in an address"),
    (with_source(availability="prp"), "sources[1].availability", 'Did you mean "pro"?'),
    (with_source(status="activ"), "sources[1].status", 'Did you mean "active"?'),
    (with_source(status="active"), "sources[1].adapter", "nothing fetches its data"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("product", "where", "says"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_one_fault_is_one_error_at_its_place(product: Product, where: str, says: str) -> None:
    finding = only(product)
    assert finding.level == "error"
    assert finding.where == where
    assert says in f"{finding.problem} {finding.fix}"


@pytest.mark.parametrize("price", [900, Price(900), None])
def test_a_default_plan_that_is_not_free_is_a_warning(price: Price | int | None) -> None:
    finding = only(replace(GOOD, plans=[replace(FREE, price=price), PRO]))
    assert (finding.level, finding.where) == ("warning", "default_plan")


def test_sources_that_count_on_no_meter_are_a_warning() -> None:
    plans = [replace(FREE, limits={}), replace(PRO, limits={})]
    finding = only(replace(GOOD, plans=plans, meter_of_sources=None))
    assert (finding.level, finding.where) == ("warning", "meter_of_sources")


def test_two_plans_with_one_lookup_key() -> None:
    team = Plan("team", price=Price(9000, lookup="pro"), limits={REQUESTS: 5000})
    finding = only(replace(GOOD, plans=[FREE, replace(PRO, price=Price(900, lookup="pro")), team]))
    assert (finding.where, finding.level) == ("plans[2].price", "error")
    assert '"pro" too' in finding.problem


def test_ten_faults_are_ten_findings() -> None:
    broken = Product(
        "",
        sign_in=[Google(), Google()],
        session_lifetime=timedelta(0),
        billed="team",  # type: ignore[arg-type]
        plans=[
            replace(FREE, limits={REQUESTS: True}),
            Plan("Pro", price=-1, limits={}),
        ],
        sources=[
            replace(PRICES, adapter=None),
            replace(NEWS, availability="gold"),
        ],
    )
    assert sorted(finding.where for finding in broken.check()) == [
        "billed",
        "name",
        "plans[0].limits",
        "plans[1].limits",
        "plans[1].name",
        "plans[1].price",
        "session_lifetime",
        "sign_in[1]",
        "sources[0].adapter",
        "sources[1].availability",
    ]


def test_every_finding_is_whole_sentences_and_prints_on_one_line() -> None:
    for product, _, _ in FAULTS:
        finding = only(product)
        assert re.fullmatch(r".+[.?]", finding.problem)
        assert re.fullmatch(r".+[.?]", finding.fix)
        assert str(finding) == f"error: {finding.where}: {finding.problem} {finding.fix}"


def test_the_nearest_word() -> None:
    assert nearest("GOOGLE_CLIENTID", ["GOOGLE_CLIENT_ID", "GITHUB_CLIENT_ID"]) == "GOOGLE_CLIENT_ID"
    assert nearest("prO", ["free", "pro"]) == "pro"
    assert nearest("gold", ["free", "pro"]) is None
    assert nearest("gold", []) is None


WORDS = st.text(max_size=6) | st.sampled_from(["free", "pro", "requests"])
AMOUNTS = st.none() | st.integers() | st.booleans() | st.floats() | st.text(max_size=3)
LIMITEDS = st.builds(Meter, WORDS, WORDS) | st.builds(Gauge, WORDS, WORDS) | st.builds(Count, WORDS)
PRICE = AMOUNTS | st.builds(Price, AMOUNTS, WORDS, WORDS, st.none() | WORDS)
PLANS = st.builds(
    Plan,
    WORDS,
    price=PRICE,
    limits=st.dictionaries(LIMITEDS, AMOUNTS, max_size=3),
    features=st.lists(AMOUNTS, max_size=2),
    priority=AMOUNTS,
    burst=st.none() | st.builds(Burst, AMOUNTS, AMOUNTS),
)
SOURCES = st.builds(DataSource, WORDS, key=WORDS, description=WORDS, availability=WORDS, status=WORDS)
PRODUCTS = st.builds(
    Product,
    WORDS,
    sign_in=st.lists(st.builds(Google) | st.builds(OpenIDConnect, WORDS, WORDS), max_size=3),
    plans=st.lists(PLANS, max_size=3),
    session_lifetime=st.timedeltas() | AMOUNTS,
    session_lifetime_max=st.timedeltas() | AMOUNTS,
    sliding=AMOUNTS,
    sources=st.lists(SOURCES, max_size=3),
    default_plan=WORDS,
    billed=WORDS,
)


@given(PRODUCTS)
def test_check_never_raises_whatever_is_declared_and_never_tells_a_thing_twice(product: Product) -> None:
    findings = product.check()
    assert len(set(findings)) == len(findings)


@given(PRODUCTS)
def test_what_passes_the_check_can_be_used(product: Product) -> None:
    if any(finding.level == "error" for finding in product.check()):
        return
    assert product.default.is_active
    for plan in product.plans:
        assert plan.priced is None or plan.priced.amount >= 0
        for limited in product.limited:
            limit = product.limit(plan.name, limited)
            assert limit is None or limit > 0
