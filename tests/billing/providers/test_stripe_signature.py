"""Whether Stripe sent it: vectors made by others, and Stripe's own SDK beside ours on whatever can be thought of."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import example, given
from hypothesis import strategies as st

from tenantry.billing.errors import EventMalformed, SecretUnset, SignatureRefused
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.providers.stripe_signature import verify
from tenantry.kernel.clock import FrozenClock

# The vectors lie beside the repository; without them the SDK alone is the judge.
VECTORS = Path(__file__).parents[4] / "shared" / "data" / "signatures" / "stripe.json"
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
SECRET = "whsec_of_the_tests"
EVENT = {"id": "evt_1", "object": "event", "type": "product.created", "data": {"object": {"id": "prod_1"}}}


def vectors() -> list[Any]:
    if not VECTORS.is_file():
        return [pytest.param(None, marks=pytest.mark.skip("no signature vectors beside the repository"))]
    found = json.loads(VECTORS.read_text())["vectors"]
    return [pytest.param(one, id=one["name"]) for one in found]


def provider(*secrets: str) -> StripeProvider:
    return StripeProvider(Credentials("https://api.stripe.com", webhook_secrets=secrets), FrozenClock(NOW))


def signed(body: bytes, *, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    """Signed by the SDK. It signs text, so a body that is none is signed by hand."""
    made = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
    return {"stripe-signature": made}


@pytest.mark.parametrize("vector", vectors())
def test_vectors(vector):
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body, now = base64.b64decode(vector["body_base64"]), datetime.fromtimestamp(vector["now"], UTC)
    ours = provider(*vector["secrets"])
    # The one vector that the SDK accepts and we do not: a signature of the future.
    if vector["valid"] and vector["name"] != "future_timestamp":
        ours.hint(body, headers, now=now)
        return
    with pytest.raises((SignatureRefused, SecretUnset, EventMalformed)):
        ours.hint(body, headers, now=now)


@pytest.mark.parametrize(
    ("age", "is_good"), [(-3600, False), (-301, False), (-300, True), (0, True), (300, True), (301, False)]
)
def test_an_event_is_good_for_five_minutes_and_the_future_is_refused(age, is_good):
    body = json.dumps(EVENT).encode()
    headers = signed(body, at=NOW - timedelta(seconds=age))
    if is_good:
        assert provider(SECRET).hint(body, headers, now=NOW).event == "product.created"
        return
    with pytest.raises(SignatureRefused) as refused:
        provider(SECRET).hint(body, headers, now=NOW)
    assert ("future" in (refused.value.detail or "")) == (age < 0)


@pytest.mark.parametrize("secrets", [(), ("",), ("  ", "\t")])
def test_404_without_a_secret_nothing_is_taken(secrets):
    body = json.dumps(EVENT).encode()
    forged = signed(body, secret=secrets[0]) if secrets else {}
    with pytest.raises(SecretUnset):
        provider(*secrets).hint(body, forged, now=NOW)


def test_a_blank_among_the_secrets_verifies_nothing():
    body = json.dumps(EVENT).encode()
    with pytest.raises(SignatureRefused):
        provider(SECRET, "").hint(body, signed(body, secret=""), now=NOW)


@pytest.mark.parametrize(
    "header", [None, "", "nonsense", "t=,v1=a", "t=1e9,v1=a", "v1=a", "t=12", "t=1,v0=a", "," * 9999]
)
def test_401_without_a_signature_that_can_be_read(header):
    headers = {} if header is None else {"stripe-signature": header}
    with pytest.raises(SignatureRefused):
        provider(SECRET).hint(b"{}", headers, now=NOW)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "object"),
        (b'{"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.error_report"}', "thin"),
        (b'{"id": "evt_1", "object": "event"}', "type"),
        (b'{"object": "event", "type": "a"}', "id"),
        (b'{"id": "evt_1", "object": "event", "type": "a", "data": {"object": []}}', "object"),
    ],
)
def test_400_signed_but_no_event(body, word):
    at = int(NOW.timestamp())
    signature = hmac.new(SECRET.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
    with pytest.raises(EventMalformed) as refused:
        provider(SECRET).hint(body, {"stripe-signature": f"t={at},v1={signature}"}, now=NOW)
    assert word in (refused.value.detail or "")


def sdk_accepts(body: bytes, header: str, secrets: list[str]) -> bool:
    """The SDK's word, its clock left out: that one is the machine's."""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
        except (stripe.SignatureVerificationError, UnicodeDecodeError):
            continue
        return True
    return False


def we_accept(body: bytes, header: str, secrets: list[str]) -> bool:
    try:
        verify(body, header, secrets, now=NOW)
    except (SignatureRefused, SecretUnset):
        return False
    return True


PARTS = st.sampled_from(["good", "other", "v0", "junk", "empty", "twice"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(body=TEXTS, parts=st.lists(PARTS, max_size=4), secrets=st.lists(TEXTS, min_size=1, max_size=3))
@example(body="{}", parts=["good"], secrets=[""])
@example(body="", parts=["other", "good"], secrets=["a", "b"])
def test_we_accept_what_the_sdk_accepts_and_nothing_else(body, parts, secrets):
    at = int(NOW.timestamp())

    def one(part: str) -> str:
        secret = secrets[-1] if part in {"good", "v0"} else "another"
        made = stripe.WebhookSignature._compute_signature(f"{at}.{body}", secret)
        return {"v0": f"v0={made}", "junk": "v1", "empty": "v1=", "twice": f"t={at}"}.get(part, f"v1={made}")

    header = ",".join([f"t={at}", *map(one, parts)])
    assert we_accept(body.encode(), header, secrets) == sdk_accepts(body.encode(), header, secrets)
