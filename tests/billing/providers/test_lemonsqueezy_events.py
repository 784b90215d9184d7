"""Lemon Squeezy's events: who signed them, what makes two of them the same, and what their payloads say."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tenantry.billing.errors import EventMalformed, SecretUnset, SignatureRefused
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.lemonsqueezy import LemonSqueezyProvider
from tenantry.billing.providers.lemonsqueezy_objects import subscription_of
from tenantry.billing.snapshots import Hint, PaymentSnapshot, SubscriptionSnapshot
from tenantry.kernel.clock import FrozenClock

# Vectors and samples are not ours to ship; where they lie beside the repository, they are read.
SHARED = Path(__file__).parents[4] / "shared" / "data"
VECTORS = SHARED / "signatures" / "lemonsqueezy.json"
NAMED = json.loads(VECTORS.read_text())["vectors"] if VECTORS.is_file() else []
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLDER = UUID("019577a0-0000-7000-8000-000000000001")


def provider(*secrets: str, store: str = "") -> LemonSqueezyProvider:
    credentials = Credentials(base_url="http://127.0.0.1:1", webhook_secrets=secrets, store=store)
    return LemonSqueezyProvider(credentials, FrozenClock(NOW))


def sample(name: str) -> bytes:
    path = SHARED / "webhooks" / "lemonsqueezy" / name
    if not path.is_file():
        pytest.skip("no sample payloads beside the repository (shared/data/webhooks/lemonsqueezy is absent)")
    return path.read_bytes()


def hinted(document: object, *, store: str = "") -> Hint:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    return provider("secret", store=store).hint(body, {"x-signature": signature}, now=NOW)


@pytest.mark.skipif(not NAMED, reason="no signature vectors beside the repository (shared/data/signatures is absent)")
@pytest.mark.parametrize("vector", NAMED, ids=lambda one: one["name"])
def test_each_vector_is_taken_or_refused(vector: dict[str, Any]) -> None:
    body = base64.b64decode(vector["body_base64"])
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    asked = provider(*vector["secrets"])
    if vector["valid"]:
        assert asked.hint(body, headers, now=NOW).event == json.loads(body)["meta"]["event_name"]
    else:
        with pytest.raises((SecretUnset, SignatureRefused)):
            asked.hint(body, headers, now=NOW)


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_nothing_is_taken(secrets: tuple[str, ...]) -> None:
    with pytest.raises(SecretUnset):
        provider(*secrets).hint(b"{}", {"x-signature": hmac.new(b"", b"{}", "sha256").hexdigest()}, now=NOW)


@pytest.mark.parametrize("headers", [{}, {"x-signature": ""}, {"x-signature": "ü"}, {"x-signature": "sha256=00"}])
def test_an_event_without_its_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        provider("secret").hint(b"{}", headers, now=NOW)


def test_any_of_several_secrets_is_enough() -> None:
    body = b'{"meta": {"event_name": "license_key_created"}, "data": {"type": "license-keys", "id": "1"}}'
    headers = {"x-signature": hmac.new(b"new", body, "sha256").hexdigest()}
    assert provider("old", "new").hint(body, headers, now=NOW).object_kind is None


SUBSCRIPTION_EVENTS = (
    "created", "updated", "cancelled", "resumed", "expired", "paused", "unpaused", "plan_changed",
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "kind", "external_id"),
    [
        ("order_created", "orders", "ord_7"),
        ("order_refunded", "orders", "ord_7"),
        *((f"subscription_{one}", "subscriptions", "7") for one in SUBSCRIPTION_EVENTS),
        *(
            (f"subscription_payment_{one}", "subscription-invoices", "inv_7")
            for one in ("success", "failed", "recovered", "refunded")
        ),
        ("customer_updated", "customers", "7"),
        ("license_key_created", "license-keys", None),
        ("license_key_updated", "license-keys", None),
        ("affiliate_activated", "affiliates", None),
    ],
)
def test_an_event_names_the_object_that_may_have_changed(event: str, kind: str, external_id: str | None) -> None:
    found = hinted({"meta": {"event_name": event}, "data": {"type": kind, "id": "7", "attributes": {}}})
    kinds = {"orders": "payment", "subscription-invoices": "payment", "subscriptions": "subscription"}
    wanted = None if external_id is None else kinds.get(kind, "customer")
    assert (found.event, found.object_id, found.object_kind) == (event, external_id, wanted)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"meta": {"event_name": "order_created"}},
        {"meta": {"event_name": 7}, "data": {}},
        {"meta": [], "data": {"type": "orders", "id": "1"}},
        {"meta": {"event_name": "order_created"}, "data": {"type": "orders"}},
        {"meta": {"event_name": "order_created"}, "data": {"type": "orders", "id": "../1"}},
    ],
)
def test_what_is_signed_and_no_event_is_malformed(document: object) -> None:
    with pytest.raises(EventMalformed):
        hinted(document)


def event(**changes: Any) -> dict[str, Any]:
    attributes = {
        "store_id": 1,
        "status": "active",
        "renews_at": "2026-04-01T00:00:00.000000Z",
        "updated_at": "2026-03-01T00:00:00.000000Z",
        "urls": {"customer_portal": "https://example.com/?signature=a"},
        **changes,
    }
    meta = {"event_name": "subscription_updated", "webhook_id": "one", "custom_data": {"holder_id": str(HOLDER)}}
    return {"meta": meta, "data": {"type": "subscriptions", "id": "5", "attributes": attributes}}


def told(**changes: Any) -> SubscriptionSnapshot:
    (found,) = provider().told(json.dumps(event(**changes)).encode())
    assert isinstance(found, SubscriptionSnapshot)
    return found


def test_an_event_is_the_same_under_another_webhook_id_and_with_addresses_signed_anew() -> None:
    again = event(urls={"customer_portal": "https://example.com/?signature=b"})
    again["meta"]["webhook_id"] = "two"
    turned = dict(reversed(again.items()))
    assert hinted(event()).dedupe_key == hinted(again).dedupe_key == hinted(turned).dedupe_key
    assert len(hinted(event()).dedupe_key) == 64


def test_an_event_is_another_with_another_name_custom_data_or_content() -> None:
    named, custom = event(), event()
    named["meta"]["event_name"] = "subscription_created"
    custom["meta"]["custom_data"] = None
    keys = {hinted(one).dedupe_key for one in (event(), named, custom, event(status="paused"))}
    assert len(keys) == 4


def test_events_of_the_test_mode_say_so() -> None:
    by_meta = event()
    by_meta["meta"]["test_mode"] = True
    assert not hinted(by_meta).is_live
    assert not hinted(event(test_mode=True)).is_live
    assert hinted(event(test_mode=False)).is_live


def test_what_is_of_another_store_is_not_for_us() -> None:
    assert hinted(event(), store="1").object_kind == "subscription"
    assert hinted(event(), store="2").object_kind is None
    assert provider(store="2").told(json.dumps(event()).encode()) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "on_trial"}, "trialing"),
        ({"status": "active"}, "active"),
        ({"status": "past_due"}, "past_due"),
        ({"status": "unpaid"}, "unpaid"),
        ({"status": "expired"}, "expired"),
        ({"status": "cancelled"}, "active"),
        ({"status": "paused", "pause": {"mode": "void"}}, "paused"),
        ({"status": "paused", "pause": {"mode": "free"}}, "active"),
        ({"status": "paused", "pause": None}, "paused"),
        ({"status": "sleeping"}, None),
    ],
)
def test_states_in_the_normal_form(changes: dict[str, Any], status: str | None) -> None:
    assert (told(**changes).status, told(**changes).raw_status) == (status, changes["status"])


def test_cancelled_is_active_until_it_ends_and_never_without_an_end() -> None:
    ends = datetime(2026, 3, 20, tzinfo=UTC)
    assert told(status="cancelled", ends_at=ends.isoformat()).cancel_at == ends
    assert told(status="cancelled").cancel_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert told(status="cancelled", renews_at=None).status is None
    assert told(status="expired", ends_at=ends.isoformat()).ended_at == ends


def test_a_pause_tells_when_it_ends() -> None:
    found = told(status="paused", pause={"mode": "void", "resumes_at": "2026-05-01T00:00:00.000000Z"})
    assert found.resumes_at == datetime(2026, 5, 1, tzinfo=UTC)


def test_the_version_is_the_later_of_the_subscription_and_its_item() -> None:
    item = {"quantity": 3, "updated_at": "2026-03-01T00:00:31.000000Z"}
    found = told(first_subscription_item=item)
    assert (found.version, found.quantity) == (datetime(2026, 3, 1, 0, 0, 31, tzinfo=UTC), 3)
    assert told().version == datetime(2026, 3, 1, tzinfo=UTC)
    assert hinted(event(first_subscription_item=item)).occurred_at == found.version


def test_whom_it_is_for_stands_in_the_custom_data() -> None:
    assert told().holder_id == HOLDER
    other = event()
    other["meta"]["custom_data"] = {"holder_id": 25}
    assert provider().told(json.dumps(other).encode())[0].holder_id is None


def sample_subscription(name: str) -> SubscriptionSnapshot:
    (found,) = provider().told(sample(name))
    assert isinstance(found, SubscriptionSnapshot)
    return found


@pytest.mark.parametrize("name", ["docs.subscription_created.json", "docs.subscription_updated.json"])
def test_sample_subscription_created_and_updated(name: str) -> None:
    trial = datetime(2023, 1, 24, 12, 43, 48, tzinfo=UTC)
    assert sample_subscription(name) == SubscriptionSnapshot(
        external_id="1",
        customer="2",
        price="2",
        status="trialing",
        raw_status="on_trial",
        quantity=5,
        period_end=trial,
        trial_ends_at=trial,
        email="dan@lemonsqueezy.com",
        version=datetime(2023, 1, 17, 12, 43, 51, tzinfo=UTC),
    )
    assert hinted(sample(name)).object_id == "1"


def payment(name: str) -> PaymentSnapshot:
    (found,) = provider().told(sample(name))
    assert isinstance(found, PaymentSnapshot)
    return found


def test_sample_subscription_payment_success() -> None:
    paid = payment("docs.subscription_payment_success.json")
    assert paid == PaymentSnapshot(
        external_id="inv_1",
        customer="1",
        subscription="1",
        status="paid",
        reason="initial",
        amount=999,
        currency="USD",
        receipt_url="https://app.lemonsqueezy.com/my-orders/.../subscription-invoice/...",
        paid_at=datetime(2023, 1, 18, 12, 16, 24, tzinfo=UTC),
        email="gernser@yahoo.com",
        version=datetime(2023, 1, 18, 12, 16, 24, tzinfo=UTC),
    )


def test_sample_subscription_payment_refunded() -> None:
    paid, back = payment("docs.subscription_payment_success.json"), payment("docs.subscription_payment_refunded.json")
    assert (back.status, back.amount, back.refunded) == ("refunded", 999, 999)
    assert back.external_id == paid.external_id


def test_sample_order_created() -> None:
    order = payment("docs.order_created.json")
    assert (order.status, order.amount, order.currency, order.number, order.price) == ("paid", 5899, "USD", "1", "1")


def test_sample_order_created_with_custom_data() -> None:
    order = payment("docs.order_created.custom_data.json")
    assert (order.amount, order.currency, order.holder_id) == (1859, "EUR", None)
    plain = sample("docs.order_created.json")
    assert hinted(sample("docs.order_created.custom_data.json")).dedupe_key != hinted(plain).dedupe_key


def test_samples_of_an_order_and_of_an_invoice_never_make_two_payments() -> None:
    order, invoice = payment("docs.order_created.json"), payment("docs.subscription_payment_success.json")
    # Only reading says whether the order is a payment of its own.
    assert (order.external_id, order.intent) == (None, "ord_1")
    assert invoice.external_id == "inv_1"
    assert hinted(sample("docs.order_created.json")).object_id == "ord_1"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("object.subscription.retrieve.json", datetime(2024, 1, 31, 15, 39, 11, tzinfo=UTC)),
        ("object.subscription.patched_swap.json", datetime(2024, 1, 31, 16, 6, 30, tzinfo=UTC)),
    ],
)
def test_sample_objects_of_the_api(name: str, changed: datetime) -> None:
    document = json.loads(sample(name))
    assert subscription_of(document["data"]) == SubscriptionSnapshot(
        external_id="253735",
        customer="2194219",
        price="225676",
        status="active",
        raw_status="active",
        period_end=datetime(2024, 2, 29, 15, 38, 35, tzinfo=UTC),
        email="redacted@example.com",
    )
    (told_of,) = provider().told(json.dumps({"meta": {}, "data": document["data"]}).encode())
    assert told_of.version == changed


@pytest.mark.parametrize(
    ("changes", "status", "refunded"),
    [
        ({"status": "paid"}, "paid", 0),
        ({"status": "pending"}, "pending", 0),
        ({"status": "failed"}, "failed", 0),
        ({"status": "fraudulent"}, "void", 0),
        ({"status": "partial_refund", "refunded_amount": 100}, "partially_refunded", 100),
        ({"status": "partial_refunded", "refunded_amount": 100}, "partially_refunded", 100),
        ({"status": "refunded"}, "refunded", 999),
        ({"status": "paid", "refunded": True}, "refunded", 999),
        ({"status": "refunded", "refunded_amount": 9.999}, "refunded", 999),
        ({"status": "unheard"}, None, 0),
    ],
)
def test_refunds_are_a_state_of_the_invoice(changes: dict[str, Any], status: str, refunded: int) -> None:
    attributes = {"total": 999, "subscription_id": 1, "updated_at": "2026-03-01T00:00:00.000000Z", **changes}
    data = {"type": "subscription-invoices", "id": 3, "attributes": attributes}
    (found,) = provider().told(json.dumps({"meta": {}, "data": data}).encode())
    assert isinstance(found, PaymentSnapshot)
    assert (found.external_id, found.status, found.refunded) == ("inv_3", status, refunded)


def test_an_address_that_is_no_page_is_no_receipt() -> None:
    attributes = {"status": "paid", "total": 1, "updated_at": "2026-03-01T00:00:00Z"}
    data = {"type": "subscription-invoices", "id": 3, "attributes": attributes}
    for address in ("javascript:alert(1)", "https://example.com/ a", "data:text/html,x", ""):
        attributes["urls"] = {"invoice_url": address}
        (found,) = provider().told(json.dumps({"meta": {}, "data": data}).encode())
        assert found.receipt_url is None
