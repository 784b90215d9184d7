"""Whatever JSON arrives: a hint or its refusal, a payload or nothing, an answer or the provider being away."""

import asyncio
import base64
import contextlib
import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tenantry.billing.errors import EventMalformed, ProviderAway, SecretUnset, SignatureRefused
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.lemonsqueezy import LemonSqueezyProvider
from tenantry.billing.providers.polar import PolarProvider
from tenantry.billing.snapshots import (
    PaymentSnapshot,
    PriceSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins import StandIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = "2026-03-01T00:00:00.000000Z"
POLAR_ID = "00000000-0000-4000-8000-000000000001"
REFUSALS = (EventMalformed, SecretUnset, SignatureRefused)
POLAR = {
    "id": POLAR_ID,
    "status": "active",
    "name": "Pro",
    "email": "a@example.com",
    "external_id": None,
    "customer_id": "c",
    "total_amount": 1000,
    "refunded_amount": 1,
    "currency": "usd",
    "billing_reason": "purchase",
    "current_period_start": AT,
    "current_period_end": AT,
    "cancel_at_period_end": True,
    "metadata": {"holder_id": "x", "lookup": "pro"},
    "customer": {"id": "c", "email": "a@example.com", "external_id": "x"},
    "product": {"id": "p", "name": "Pro", "metadata": {}, "prices": []},
    "prices": [{"id": "q", "amount_type": "fixed", "price_amount": 5, "price_currency": "usd"}],
    "items": [{"product_price_id": "q"}],
}
ATTRIBUTES = {
    "store_id": 1,
    "customer_id": 2,
    "status": "cancelled",
    "variant_id": 3,
    "product_id": 1,
    "name": "Pro",
    "slug": "pro",
    "user_email": "a@example.com",
    "total": 1000,
    "refunded_amount": 1,
    "currency": "USD",
    "billing_reason": "initial",
    "subscription_id": 1,
    "order_number": 1,
    "renews_at": AT,
    "ends_at": AT,
    "pause": {"mode": "void", "resumes_at": AT},
    "first_subscription_item": {"quantity": 1, "updated_at": AT},
    "first_order_item": {"variant_id": 3, "price_id": 4},
    "urls": {"receipt": "https://example.com/", "customer_portal": "https://example.com/"},
    "updated_at": AT,
    "unit_price": 5,
    "category": "subscription",
    "renewal_interval_unit": "month",
}
LEMON_TYPES = ("subscriptions", "subscription-invoices", "orders", "customers", "products", "variants", "prices")
ODD = st.sampled_from(
    [
        *(
            None,
            True,
            -1,
            0,
            2**63,
            2**70,
            1e308,
            0.5,
            "",
            "\0",
            "x" * 9000,
            " ",
            "0",
            [],
            {},
            [[]],
            [None],
            {"id": {}},
        ),
        *(
            "9999-12-31T23:59:59.999999-23:59",
            "0001-01-01T00:00:00+23:59",
            "2026-03-01",
            "²",
            "1" * 300,
            "javascript:0",
        ),
    ]
) | st.recursive(st.text(max_size=5) | st.integers(), lambda one: st.lists(one) | st.dictionaries(st.text(), one))


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, the document itself first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from spots(one, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """A document with up to four places that are odd or gone."""
    document = copy.deepcopy(draw(documents))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(spots(document))))
        if not path:
            return copy.deepcopy(draw(ODD))
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        if isinstance(parent, dict) and draw(st.booleans()):
            del parent[path[-1]]
        else:
            # A copy: what is drawn may be spoilt further on, and must not stay so for the next document.
            parent[path[-1]] = copy.deepcopy(draw(ODD))
    return document


def polar_event(name: str) -> dict[str, Any]:
    return {"type": name, "timestamp": AT, "data": {**POLAR, "order_id": "o"}}


def lemon_event(kind: str) -> dict[str, Any]:
    meta = {"event_name": "some_event", "custom_data": {"holder_id": "x"}, "test_mode": False}
    return {"meta": meta, "data": {"type": kind, "id": "1", "attributes": ATTRIBUTES}}


POLAR_EVENTS = st.sampled_from(
    [polar_event(f"{one}.updated") for one in ("subscription", "order", "customer", "product", "refund")]
)
LEMON_EVENTS = st.sampled_from([lemon_event(one) for one in LEMON_TYPES])


def polar(url: str = "http://127.0.0.1:1") -> PolarProvider:
    return PolarProvider(Credentials(base_url=url, key="k", webhook_secrets=("secret",)), FrozenClock(NOW))


def lemon(url: str = "http://127.0.0.1:1") -> LemonSqueezyProvider:
    credentials = Credentials(base_url=url, key="k", webhook_secrets=("secret",), store="1")
    return LemonSqueezyProvider(credentials, FrozenClock(NOW))


def polar_headers(body: bytes) -> dict[str, str]:
    sent = str(int(NOW.timestamp()))
    signed = hmac.digest(b"secret", f"evt.{sent}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return {"webhook-id": "evt", "webhook-timestamp": sent, "webhook-signature": signature}


def lemon_headers(body: bytes) -> dict[str, str]:
    return {"x-signature": hmac.new(b"secret", body, hashlib.sha256).hexdigest()}


def check(found: list[Snapshot]) -> None:
    """What the database would refuse is never in a snapshot."""
    for one in found:
        fields = msgspec.structs.asdict(one)
        assert one.external_id is None or 1 <= len(one.external_id) <= 255
        assert "\0" not in str(fields)
        if isinstance(one, SubscriptionSnapshot):
            assert not (one.period_start and one.period_end) or one.period_start <= one.period_end
            assert 0 <= one.quantity < 2**63
            assert 1 <= len(one.raw_status) <= 100
        if isinstance(one, PaymentSnapshot):
            assert 0 <= one.refunded <= one.amount < 2**63
            assert len(one.currency) == 3
        if isinstance(one, PriceSnapshot):
            assert one.amount is None or 0 <= one.amount < 2**63
            assert one.interval in {None, "day", "week", "month", "year"}
            assert one.interval_count > 0
        assert all(value.tzinfo is not None for value in fields.values() if isinstance(value, datetime))


@settings(max_examples=200, deadline=None)
@given(spoilt(POLAR_EVENTS))
def test_polar_reads_any_event_or_refuses_it(document: Any) -> None:
    body = json.dumps(document).encode()
    asked = polar()
    try:
        hint = asked.hint(body, polar_headers(body), now=NOW)
        assert (hint.object_kind is None) == (hint.object_id is None)
    except REFUSALS:
        pass
    check(asked.told(body))


@settings(max_examples=200, deadline=None)
@given(spoilt(LEMON_EVENTS))
def test_lemon_squeezy_reads_any_event_or_refuses_it(document: Any) -> None:
    body = json.dumps(document).encode()
    asked = lemon()
    try:
        hint = asked.hint(body, lemon_headers(body), now=NOW)
        assert (hint.object_kind is None) == (hint.object_id is None)
        assert len(hint.dedupe_key) == 64
    except REFUSALS:
        pass
    check(asked.told(body))


NO_EVENTS = [
    b"", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":' * 100_000, b'{"meta":{"event_name":"\\ud800"},"data":{}}',
    b'{"type":"order.paid","data":{"id":"\\u0000"}}', b"9" * 5000, b'{"type":' + b"9" * 5000 + b"}", b"NaN", b"\0",
]  # fmt: skip


@pytest.mark.parametrize("body", NO_EVENTS, ids=range(len(NO_EVENTS)))
@pytest.mark.parametrize(("make", "sign"), [(polar, polar_headers), (lemon, lemon_headers)])
def test_bytes_that_are_no_event(make: Callable[[], Any], sign: Callable[[bytes], dict[str, str]], body: bytes) -> None:
    asked = make()
    with pytest.raises(EventMalformed):
        asked.hint(body, sign(body), now=NOW)
    assert asked.told(body) == []


@pytest.mark.parametrize("make", [polar, lemon])
@pytest.mark.parametrize("deep", [900, 5000])
def test_an_event_whose_content_is_deep_is_read_or_refused(make: Callable[[], Any], deep: int) -> None:
    nest = b"[" * deep + b"]" * deep
    meta = (
        b'{"type":"order.paid","timestamp":"'
        + AT.encode()
        + b'","meta":{"event_name":"e"},"data":{"id":"1","type":"orders","x":'
    )
    body = meta + nest + b"}}"
    asked = make()
    with contextlib.suppress(EventMalformed):
        asked.hint(body, {**polar_headers(body), **lemon_headers(body)}, now=NOW)
    check(asked.told(body))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x-signature"]), st.text())
)
def test_headers_that_nobody_signed_are_refused(headers: dict[str, str]) -> None:
    for asked in (polar(), lemon()):
        with pytest.raises(SignatureRefused):
            asked.hint(b"{}", headers, now=NOW)


class Parrot:
    """A server that says one thing to everything."""

    def __init__(self) -> None:
        self.says: object = {}

    def app(self, _url: str) -> Starlette:
        async def say(request: Request) -> Response:
            return Response(json.dumps(self.says), media_type="application/json")

        return Starlette(routes=[Route("/{path:path}", say, methods=["GET", "POST", "PATCH", "DELETE"])])


@pytest.fixture(scope="module")
def parrot() -> Iterator[tuple[Parrot, str]]:
    said = Parrot()
    with StandIn(said.app) as running:
        yield said, running.url


async def everything(provider: Any, known: str) -> None:
    try:
        for kind in ("subscription", "payment", "customer", "product", "price"):
            for external_id in (known, "inv_1", "ord_1"):
                try:
                    check(await provider.read(kind, external_id))
                except ProviderAway:
                    continue
            try:
                async for page in provider.listed(kind):
                    check(page)
                    break
            except ProviderAway:
                continue
        try:
            async for _ in provider.missed(NOW):
                pass
        except ProviderAway:
            pass
    finally:
        await provider.aclose()


def answer(of: Any) -> st.SearchStrategy[Any]:
    kinds = [{"type": one, "id": "1", "attributes": ATTRIBUTES} for one in LEMON_TYPES]
    event = {"webhook_event": {"id": "e", "payload": json.dumps(polar_event("order.paid")), "succeeded": False}}
    listed = {"items": [POLAR, event], "pagination": {"max_page": 1}}
    lemons = [{"data": one, "included": kinds} for one in kinds]
    pages = [{"data": [one], "included": kinds, "meta": {"page": {"lastPage": 1}}} for one in kinds]
    return st.sampled_from([POLAR, listed] if of is polar else [*lemons, *pages])


@pytest.mark.parametrize("make", [polar, lemon])
async def test_a_list_that_does_not_end_is_the_provider_being_away(
    parrot: tuple[Parrot, str], make: Callable[[str], Any]
) -> None:
    said, url = parrot
    customer = {**POLAR, "type": "customers", "attributes": ATTRIBUTES, "id": "1"}
    said.says = {
        "items": [customer],
        "pagination": {"max_page": 10**9},
        "data": [customer],
        "meta": {"page": {"lastPage": 10**9}},
    }
    asked = make(url)
    with pytest.raises(ProviderAway):
        _ = [page async for page in asked.listed("customer")]
    await asked.aclose()


@pytest.mark.parametrize(("make", "known"), [(polar, POLAR_ID), (lemon, "1")])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_answer_of_any_shape_is_read_or_the_provider_is_away(
    parrot: tuple[Parrot, str], make: Callable[[str], Any], known: str, data: st.DataObject
) -> None:
    said, url = parrot
    said.says = data.draw(spoilt(answer(make)))
    asyncio.run(everything(make(url), known))
