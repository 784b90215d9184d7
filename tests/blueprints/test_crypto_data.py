"""The crypto data site declares what its document says, to the letter."""

from datetime import timedelta
from pathlib import Path

import pytest

import tenantry.blueprints
from tenantry.blueprints import NAMES, ProductNotLoaded, load
from tenantry.product import GitHub, Google, Meter, Product
from tenantry.sources import Binance

REQUESTS = Meter("requests", per="day")


@pytest.fixture
def product() -> Product:
    return load("crypto_data")


def test_every_blueprint_is_listed_loads_and_passes_its_check() -> None:
    files = {path.stem for path in Path(tenantry.blueprints.__path__[0]).glob("*.py")}
    assert files - {"__init__", "loading", "seeds"} == set(NAMES)
    for name in NAMES:
        assert load(name).check() == []
        assert load(name) is load(name)


def test_an_unknown_blueprint_suggests_the_nearest() -> None:
    with pytest.raises(ProductNotLoaded, match=r'There is no such blueprint\. Did you mean "crypto_data"\?'):
        load("crypto-data")
    with pytest.raises(ProductNotLoaded, match="There are: crypto_data"):
        load("shop")


def test_sign_in_and_sessions(product: Product) -> None:
    assert product.sign_in == (Google(), GitHub())
    assert (product.session_lifetime, product.sliding) == (timedelta(minutes=60), False)


def test_plans(product: Product) -> None:
    free, pro = product.plans
    assert (free.name, free.display_name, free.price, free.limits) == ("free", "Free", 0, {REQUESTS: 100})
    assert (pro.name, pro.display_name, pro.price, pro.limits) == ("pro", "Pro", None, {REQUESTS: 1000})
    assert free.features == ("Core crypto prices (Binance adapter)", "Basic news (coming soon)", "Rate limits apply")
    assert pro.features == (
        "Everything in Free",
        "On\u2011chain & social signals (rolling out)",
        "Higher limits, priority queue",
    )
    assert product.default is free
    assert free.is_active
    assert pro.is_active
    assert pro.priority > free.priority
    assert pro.burst is not None
    assert free.burst is not None
    assert pro.burst.calls / pro.burst.seconds > free.burst.calls / free.burst.seconds


def test_sources(product: Product) -> None:
    assert [(s.name, s.description, s.availability, s.status) for s in product.sources] == [
        ("Binance Prices", "Spot price, 24h change, 24h volume", "free", "active"),
        ("Crypto News (aggregated)", "Headline feed curated for crypto tickers", "free", "planned"),
        ("On\u2011chain Metrics", "Network activity, exchange flows", "pro", "planned"),
        ("Social Signals", "X/Telegram curated signals and sentiment", "pro", "planned"),
    ]
    assert product.source("binance-prices").adapter == Binance()
    assert product.meter_of_sources == REQUESTS
    assert not product.plan_allows("free", product.source("social-signals"))
    assert product.plan_allows("pro", product.source("social-signals"))
