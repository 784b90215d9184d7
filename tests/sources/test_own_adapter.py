"""The adapter of `docs/data-sources.md`, as it stands there, on a server that speaks its protocol."""

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sources.asking import to_pro, used
from tenantry import Product, Settings
from tenantry.app import check
from tenantry.kernel.clock import Clock
from tenantry.sources import Feed, Feeds, Host, Polled, Quote, Reading, SourceUnavailable
from tenantry.testing import AppKit
from tenantry.testing.standins import StandIn

PAGE = Path(__file__).parents[2] / "docs" / "data-sources.md"
BODY = b'{"EURUSD": {"mid": 1.08420, "at": 1772366400}, "EURXXX": {"mid": 0, "at": 1772366400}}'
ABSURD = b'{"EURUSD": {"mid": 1.08420, "at": 999999999999999999}}'
HTML = {"Accept": "text/html"}


class Bank:
    """Answers rates, or with the status that a test wants."""

    def __init__(self) -> None:
        self.status, self.body = 200, BODY
        self.asked: list[tuple[str, str]] = []

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/rates", self.rates)])

    async def rates(self, request: Request) -> Response:
        self.asked.append((request.query_params["pairs"], request.headers["x-api-key"]))
        return Response(self.body if self.status == 200 else b"{}", self.status, media_type="application/json")


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def product(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """The page's product and its adapter, at the bank's address."""
    (tmp_path / "rates.py").write_text(written("rates.py"), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "rates", loaded(tmp_path / "rates.py"))
    monkeypatch.setenv("RATES_KEY", "a-secret-key")
    names: dict[str, Any] = {}
    exec(written("product.py"), names)
    with StandIn(lambda _: bank.app()) as running:
        source = names["product"].sources[0]
        here = replace(source, adapter=replace(source.adapter, base_url=running.url))
        yield replace(names["product"], sources=[here])


def written(name: str) -> str:
    blocks = re.findall(rf"```python\n# {name}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location("rates", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def pro(kit: AppKit, **headers: str) -> Any:
    ada = await kit.sign_in("ada", client=await kit.client(**headers))
    await to_pro(kit, ada)
    return ada


async def test_it_answers_as_the_page_says(start, product, bank):
    kit = await start(product)
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/prices/EURUSD?source=rates")).json()["code"] == "sources.plan_too_small"
    await to_pro(kit, ada)
    price = (await ada.get("/v1/prices/eurusd?source=rates")).json()
    assert (price["symbol"], price["price"], price["as_of"]) == ("EURUSD", "1.08420", "2026-03-01T12:00:00Z")
    assert (price["change_24h"], price["volume_24h"], price["stale"]) == (None, None, False)
    assert bank.asked == [("EURUSD", "a-secret-key")]


async def test_unknown_404_and_senseless_503_count(start, product, bank):
    ada = await pro(await start(product))
    for symbol, status, code in (
        ("EURNOK", 404, "sources.symbol_unknown"),
        ("EURXXX", 503, "sources.unavailable"),  # a rate of zero is no rate
    ):
        answer = await ada.get(f"/v1/prices/{symbol}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "a-secret-key" not in answer.text
    assert await used(ada) == 2


async def test_what_makes_no_sense_is_that_symbols_alone(start, product, bank):
    feed = (await start(product)).runtime.port(Feeds).feed("rates")
    rate, none = await asyncio.gather(feed.quote("EURUSD"), feed.quote("EURXXX"), return_exceptions=True)
    assert (rate.quote.price, none.reason) == (Decimal("1.08420"), "invalid")
    assert [asked for asked, _ in bank.asked] == ["EURUSD,EURXXX"]


async def test_503_a_time_that_is_none(start, product, bank):
    ada = await pro(await start(product))
    bank.body = ABSURD
    assert (await ada.get("/v1/prices/EURUSD")).status_code == 503


async def test_the_dashboard_shows_what_there_is_and_nothing_else(start, product):
    ada = await pro(await start(product), **HTML)
    page = (await ada.post("/dashboard/prices", data={"symbol": "EURUSD"})).text
    assert "1.0842" in page
    assert "Change in 24 hours" not in page
    assert "Volume in 24 hours" not in page
    assert "9,999 of 10,000 calls left." in page


async def test_a_bank_that_fails_503_and_is_then_left_alone_for_a_while(start, product, bank):
    ada = await pro(await start(product))
    bank.status = 500
    for _ in range(7):
        answer = await ada.get("/v1/prices/EURUSD")
        assert (answer.status_code, answer.json()["code"]) == (503, "sources.unavailable")
    assert len(bank.asked) == 5
    assert (await ada.get("/v1/sources")).json()["items"][0]["state"] == "unavailable"
    assert await used(ada) == 7


def test_an_adapter_that_cannot_be_opened_is_an_error_of_the_declaration(product):
    wrong = replace(product, sources=[replace(product.sources[0], adapter="https://rates.example.com")])
    settings = Settings(google_client_id="id", google_client_secret="secret")
    assert not [one for one in check(product, settings) if one.level == "error"]
    [finding] = [one for one in check(wrong, settings) if one.level == "error"]
    assert (finding.where, "open(clock)" in finding.fix) == ('source "rates"', True)


class Told:
    """An adapter and its feed from nothing but the Protocols: it remembers what it is told."""

    def __init__(self) -> None:
        self.priorities: list[int] = []

    def open(self, _clock: Clock) -> Feed:
        return self

    async def quote(self, symbol: str, *, priority: int = 0) -> Reading:
        self.priorities.append(priority)
        quote = Quote(symbol=symbol, price=Decimal("1.5"), as_of=datetime(2026, 3, 1, tzinfo=UTC))
        return Reading(quote=quote, age_seconds=0.0, is_stale=False)

    def trouble(self) -> SourceUnavailable | None:
        return SourceUnavailable("refused")

    async def aclose(self) -> None:
        pass


async def test_a_feed_needs_the_protocol_only_and_is_told_the_plans_priority(start, product):
    told = Told()
    kit = await start(replace(product, sources=[replace(product.sources[0], availability="free", adapter=told)]))
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/prices/EURUSD")).json()["price"] == "1.5"
    await to_pro(kit, ada)
    assert (await ada.get("/v1/prices/EURUSD")).status_code == 200
    assert told.priorities == [0, 1]
    listed = (await ada.get("/v1/sources")).json()["items"][0]
    assert (listed["state"], listed["retry_at"]) == ("unavailable", None)
    assert 'tenantry_source_up{source="rates"} 0.0' in (await ada.get("/metrics")).text


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e999999", "1e-999999"])
def test_a_quote_that_nobody_should_be_shown_cannot_be_made(price):
    with pytest.raises(SourceUnavailable, match="invalid"):
        Quote(symbol="EURUSD", price=Decimal(price), as_of=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("change", [{"as_of": datetime(2026, 3, 1)}, {"volume_24h": Decimal("sNaN")}])  # noqa: DTZ001
def test_nor_with_a_time_without_a_zone_or_a_volume_that_is_none(change):
    values = {"symbol": "EURUSD", "price": Decimal(1), "as_of": datetime(2026, 3, 1, tzinfo=UTC)}
    with pytest.raises(SourceUnavailable, match="invalid"):
        Quote(**{**values, **change})


class Scarce:
    """An adapter whose upstream allows one request a minute."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def open(self, clock: Clock) -> Feed:
        self.host = Host("http://127.0.0.1:1", clock, units_max=10)
        self.feed = Polled(self.fetch, self.host, units=8, wait_seconds=2)
        return self.feed

    async def fetch(self, symbols: Sequence[str]) -> dict[str, Quote]:
        assert self.host.budget
        self.host.budget.send(8)
        self.asked += symbols
        at = datetime(2026, 3, 1, tzinfo=UTC)
        return {symbol: Quote(symbol=symbol, price=Decimal(1), as_of=at) for symbol in symbols}


async def test_503_for_free_and_an_answer_for_pro_where_the_upstream_is_short(start, product):
    scarce = Scarce()
    source = replace(product.sources[0], availability="free", adapter=scarce)
    kit = await start(replace(product, sources=[source]))
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await to_pro(kit, grace)
    await kit.move(seconds=59)
    scarce.host.budget.send(10)
    free = asyncio.create_task(ada.get("/v1/prices/FREE"))
    await waiting(scarce.feed, 1)
    paying = asyncio.create_task(grace.get("/v1/prices/PRO"))
    await waiting(scarce.feed, 2)
    await kit.move(seconds=1)
    assert (await paying).status_code == 200
    refused = await free
    assert (refused.status_code, refused.json()["code"]) == (503, "sources.busy")
    assert refused.headers["Retry-After"] == "60"
    assert (scarce.asked, await used(ada), await used(grace)) == (["PRO"], 1, 1)


async def waiting(feed: Polled, count: int) -> None:
    async with asyncio.timeout(10):
        while feed.waiting != count:
            await asyncio.sleep(0.002)
