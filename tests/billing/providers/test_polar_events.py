"""Polar's events: who signed them, what they are about, and what their payloads say."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from tenantry.billing.errors import EventMalformed, SecretUnset, SignatureRefused
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.polar import SANDBOX, PolarProvider
from tenantry.billing.snapshots import (
    CustomerSnapshot,
    Hint,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.clock import FrozenClock, SystemClock
from tenantry.testing.standins.polar import POLAR_SECRET, start_polar

# Vectors and samples are not ours to ship; where they lie beside the repository, they are read.
SHARED = Path(__file__).parents[4] / "shared" / "data"
VECTORS = SHARED / "signatures" / "polar.json"
NAMED = json.loads(VECTORS.read_text())["vectors"] if VECTORS.is_file() else []
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLDER = UUID("00000000-0000-0000-0000-00000000000a")


def provider(*secrets: str, url: str = "http://127.0.0.1:1") -> PolarProvider:
    return PolarProvider(Credentials(base_url=url, webhook_secrets=secrets), FrozenClock(NOW))


def sample(name: str) -> bytes:
    path = SHARED / "webhooks" / "polar" / name
    if not path.is_file():
        pytest.skip("no sample payloads beside the repository (shared/data/webhooks/polar is absent)")
    return path.read_bytes()


def hinted(document: object, *, event_id: str = "evt-1", url: str = "http://127.0.0.1:1") -> Hint:
    body = json.dumps(document).encode()
    return provider("secret", url=url).hint(body, signed(body, event_id=event_id), now=NOW)


def signed(body: bytes, *, secret: str = "secret", event_id: str = "evt-1", at: datetime = NOW) -> dict[str, str]:
    # By the library of those who wrote the standard; it refuses the empty secret, as it should.
    forged = hmac.digest(b"", f"{event_id}.{int(at.timestamp())}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(forged).decode()}"
    if secret:
        signature = Webhook(base64.b64encode(secret.encode()).decode()).sign(event_id, at, body.decode())
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


@pytest.mark.skipif(not NAMED, reason="no signature vectors beside the repository (shared/data/signatures is absent)")
@pytest.mark.parametrize("vector", NAMED, ids=lambda one: one["name"])
def test_each_vector_is_taken_or_refused_as_the_official_sdk_does(vector: dict[str, Any]) -> None:
    body = base64.b64decode(vector["body_base64"])
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    now = datetime.fromtimestamp(vector["now"], UTC)
    asked = provider(*vector["secrets"])
    if vector["valid"]:
        assert asked.hint(body, headers, now=now).dedupe_key == headers["webhook-id"]
    else:
        with pytest.raises((SecretUnset, SignatureRefused)):
            asked.hint(body, headers, now=now)


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_without_a_secret_nothing_is_taken(secrets: tuple[str, ...]) -> None:
    with pytest.raises(SecretUnset):
        provider(*secrets).hint(b"{}", signed(b"{}", secret=""), now=NOW)


def test_the_empty_key_that_a_bare_prefix_stands_for_verifies_nothing() -> None:
    body = b'{"type": "order.paid", "data": {"id": "1"}}'
    with pytest.raises(SignatureRefused):
        provider("whsec_").hint(body, signed(body, secret=""), now=NOW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_event_without_one_of_the_headers_is_refused(missing: str) -> None:
    headers = {name: value for name, value in signed(b"{}").items() if name != missing}
    with pytest.raises(SignatureRefused):
        provider("secret").hint(b"{}", headers, now=NOW)


@pytest.mark.parametrize("late", [301, -301])
def test_stale_events_and_those_of_the_future_are_refused(late: int) -> None:
    body = b'{"type": "benefit.updated"}'
    with pytest.raises(SignatureRefused):
        provider("secret").hint(body, signed(body, at=NOW - timedelta(seconds=late)), now=NOW)
    assert provider("secret").hint(body, signed(body, at=NOW - timedelta(seconds=299)), now=NOW)


def test_any_of_several_signatures_and_secrets_is_enough() -> None:
    body = b'{"type": "benefit.updated"}'
    headers = signed(body, secret="new")
    headers["webhook-signature"] = "v1a,AAAA v1,AAAA " + headers["webhook-signature"]
    assert provider("old", "new").hint(body, headers, now=NOW).event == "benefit.updated"


def test_the_library_of_the_standard_verifies_what_the_stand_in_signs() -> None:
    key = base64.b64encode(POLAR_SECRET.encode()).decode()
    with start_polar() as standin:
        standin.act("stranger", email="ada@example.com")
        (event,) = standin.events
    assert Webhook(key).verify(event.body, event.headers)["type"] == "customer.created"
    asked = PolarProvider(Credentials(base_url=standin.url, webhook_secrets=(POLAR_SECRET,)), SystemClock())
    assert asked.hint(event.body, event.headers, now=datetime.now(UTC)).object_kind == "customer"


@pytest.mark.parametrize(
    ("event", "data", "kind", "about"),
    [
        ("subscription.created", {"id": "s"}, "subscription", "s"),
        ("subscription.revoked", {"id": "s"}, "subscription", "s"),
        ("subscription.something_new", {"id": "s"}, "subscription", "s"),
        ("order.paid", {"id": "o"}, "payment", "o"),
        ("order.refunded", {"id": "o"}, "payment", "o"),
        ("refund.updated", {"id": "r", "order_id": "o"}, "payment", "o"),
        ("customer.state_changed", {"id": "c"}, "customer", "c"),
        ("product.updated", {"id": "p"}, "product", "p"),
        ("customer_seat.assigned", {"id": "x"}, None, None),
        ("benefit_grant.created", {"id": "x"}, None, None),
        ("checkout.updated", {"id": "x"}, None, None),
        ("never.heard.of", {"id": "x"}, None, None),
    ],
)
def test_an_event_names_the_object_that_may_have_changed(event: str, data: object, kind: str, about: str) -> None:
    told_at = "2026-02-28T08:00:00.123456Z"
    assert hinted({"type": event, "timestamp": told_at, "data": data}) == Hint(
        dedupe_key="evt-1",
        event=event,
        object_kind=kind,
        object_id=about,
        occurred_at=datetime(2026, 2, 28, 8, 0, 0, 123456, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "document",
    [[], "order.paid", {}, {"type": 7}, {"type": "order.paid"}, {"type": "order.paid", "data": {"id": ["o"]}}],
)
def test_what_is_signed_and_no_event_is_malformed(document: object) -> None:
    with pytest.raises(EventMalformed):
        hinted(document)


def test_events_of_the_sandbox_are_tests() -> None:
    document = {"type": "order.paid", "data": {"id": "o"}}
    assert not hinted(document, url=f"{SANDBOX}/").is_live
    assert hinted(document, url="https://api.polar.sh").is_live


def test_sample_subscription_revoked() -> None:
    found = provider().told(sample("polar_tests.subscription.revoked.json"))
    assert found == [
        ProductSnapshot(external_id="00000000-0000-0000-0000-0000000000c1", name="Pro"),
        CustomerSnapshot(external_id="00000000-0000-0000-0000-000000000002", email="c@example.com", holder_id=HOLDER),
        SubscriptionSnapshot(
            external_id="00000000-0000-0000-0000-000000000010",
            customer="00000000-0000-0000-0000-000000000002",
            price=None,
            status="canceled",
            raw_status="canceled",
            period_start=datetime(2026, 1, 1, tzinfo=UTC),
            period_end=datetime(2026, 2, 1, tzinfo=UTC),
            ended_at=datetime(2026, 1, 15, tzinfo=UTC),
            holder_id=HOLDER,
            email="c@example.com",
            version=datetime(2026, 1, 1, tzinfo=UTC),
        ),
    ]


def test_sample_order_paid() -> None:
    *_, found = provider().told(sample("polar_tests.order.paid.json"))
    assert found == PaymentSnapshot(
        external_id="00000000-0000-0000-0000-000000000020",
        customer="00000000-0000-0000-0000-000000000002",
        subscription="00000000-0000-0000-0000-000000000001",
        status="paid",
        reason="renewal",
        amount=2000,
        currency="USD",
        number="POLAR-0001",
        paid_at=datetime(2026, 1, 1, tzinfo=UTC),
        holder_id=HOLDER,
        email="c@example.com",
        version=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_sample_benefit_grant_is_not_for_us() -> None:
    body = sample("polar_tests.benefit_grant.created.json")
    assert provider().told(body) == []
    assert provider("secret").hint(body, signed(body), now=NOW).object_kind is None


SUBSCRIPTION = {
    "id": "s",
    "status": "active",
    "customer_id": "c",
    "current_period_start": "2026-03-01T00:00:00Z",
    "current_period_end": "2026-04-01T00:00:00Z",
    "prices": [{"id": "usage", "amount_type": "metered_unit"}, {"id": "p", "amount_type": "fixed"}],
}


def told(event: str = "subscription.updated", **changes: Any) -> SubscriptionSnapshot:
    document = {"type": event, "timestamp": "2026-03-01T00:00:00Z", "data": {**SUBSCRIPTION, **changes}}
    (found,) = provider().told(json.dumps(document).encode())
    assert isinstance(found, SubscriptionSnapshot)
    return found


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("incomplete", "incomplete"),
        ("incomplete_expired", "expired"),
        ("trialing", "trialing"),
        ("active", "active"),
        ("past_due", "past_due"),
        ("unpaid", "unpaid"),
        ("paused", "paused"),
        ("canceled", "canceled"),
        ("hibernating", None),
    ],
)
def test_the_objects_status_counts_whatever_the_event_is_called(word: str, status: str | None) -> None:
    assert [told(event, status=word).status for event in ("subscription.revoked", "subscription.active")] == [
        status
    ] * 2
    assert told(status=word).raw_status == word


def test_a_cancellation_to_come_is_active_with_an_end() -> None:
    ends = datetime(2026, 4, 1, tzinfo=UTC)
    assert told("subscription.canceled", cancel_at_period_end=True).cancel_at == ends
    given = told("subscription.canceled", cancel_at_period_end=True, ends_at="2026-03-15T00:00:00Z")
    assert (given.status, given.cancel_at) == ("active", datetime(2026, 3, 15, tzinfo=UTC))
    assert told(status="canceled", ends_at="2026-03-15T00:00:00Z").cancel_at is None


def test_past_due_is_since_when_polar_says() -> None:
    since = "2026-03-02T00:00:00Z"
    assert told(status="past_due", past_due_at=since).past_due_since == datetime(2026, 3, 2, tzinfo=UTC)
    assert told(status="active", past_due_at=since).past_due_since is None


def test_the_price_is_the_one_that_is_not_of_usage() -> None:
    product = {
        "id": "x",
        "name": "X",
        "prices": [{"id": "old", "is_archived": True}, {"id": "q", "is_archived": False}],
    }
    assert told().price == "p"
    assert told(prices=[], price_id="q").price == "q"
    document = {"type": "subscription.updated", "timestamp": "2026-03-01T00:00:00Z"}
    body = json.dumps({**document, "data": {**SUBSCRIPTION, "prices": [], "product": product}}).encode()
    found = provider().told(body)[-1]
    assert isinstance(found, SubscriptionSnapshot)
    assert found.price == "q"


def test_whom_it_is_for_stands_in_the_metadata_or_is_the_customer() -> None:
    other = "11111111-1111-1111-1111-111111111111"
    customer = {"id": "c", "external_id": str(HOLDER)}
    document = {"type": "subscription.updated", "timestamp": "2026-03-01T00:00:00Z"}

    def holder(**changes: Any) -> UUID | None:
        body = json.dumps({**document, "data": {**SUBSCRIPTION, "customer": customer, **changes}}).encode()
        found = provider().told(body)[-1]
        assert isinstance(found, SubscriptionSnapshot)
        return found.holder_id

    assert holder(metadata={"holder_id": other}) == UUID(other)
    assert holder(metadata={"holder_id": "nobody"}) == HOLDER
    assert told().holder_id is None


@pytest.mark.parametrize(
    ("changes", "status", "refunded"),
    [
        ({"status": "paid"}, "paid", 0),
        ({"status": "pending"}, "pending", 0),
        ({"status": "void"}, "void", 0),
        (
            {"status": "partially_refunded", "refunded_amount": 400, "refunded_tax_amount": 76},
            "partially_refunded",
            476,
        ),
        ({"status": "refunded", "refunded_amount": 9999}, "refunded", 1190),
        ({"status": "refunded"}, "refunded", 1190),
        ({"status": "new_word"}, None, 0),
    ],
)
def test_refunds_are_a_state_of_the_order(changes: dict[str, Any], status: str, refunded: int) -> None:
    order = {"id": "o", "total_amount": 1190, "currency": "eur", "billing_reason": "purchase", **changes}
    document = {"type": "order.updated", "timestamp": "2026-03-01T00:00:00Z", "data": order}
    (found,) = provider().told(json.dumps(document).encode())
    assert isinstance(found, PaymentSnapshot)
    assert (found.status, found.refunded, found.currency, found.reason) == (status, refunded, "EUR", "once")


def test_a_products_prices_are_found_under_its_word() -> None:
    product = {
        "id": "p",
        "name": "Pro",
        "is_archived": False,
        "recurring_interval": "year",
        "recurring_interval_count": 1,
        "metadata": {"lookup": "pro_yearly", "seats": 3, "beta": True, "odd": [1]},
        "prices": [
            {"id": "1", "amount_type": "fixed", "price_amount": 900, "price_currency": "eur"},
            {"id": "2", "amount_type": "metered_unit", "price_currency": "eur"},
            {"id": "3", "amount_type": "fixed", "price_amount": 800, "price_currency": "eur", "is_archived": True},
        ],
    }
    document = {"type": "product.updated", "timestamp": "2026-03-01T00:00:00Z", "data": product}
    found = provider().told(json.dumps(document).encode())
    assert found[0] == ProductSnapshot(
        external_id="p", name="Pro", details={"lookup": "pro_yearly", "seats": "3", "beta": "true"}
    )
    year = {"product": "p", "currency": "EUR", "interval": "year"}
    assert found[1:] == [
        PriceSnapshot(external_id="1", lookup="pro_yearly", amount=900, **year),
        PriceSnapshot(external_id="2", **year),
        PriceSnapshot(external_id="3", lookup="pro_yearly", amount=800, is_active=False, **year),
    ]


def test_a_deleted_customer_is_told_as_one() -> None:
    document = {"type": "customer.deleted", "timestamp": "2026-03-01T00:00:00Z", "data": {"id": "c"}}
    assert provider().told(json.dumps(document).encode()) == [CustomerSnapshot(external_id="c", is_deleted=True)]
