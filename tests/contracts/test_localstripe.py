"""A second opinion on Stripe's old shape, by others' hands: localstripe, in a process and an environment of its own.

It is under the GPL and no part of this package: it is installed where the test runs, talked to over loopback, and
thrown away. Without a package registry the test skips.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
import msgspec
import pytest
import stripe

from tenantry.billing.errors import SignatureRefused
from tenantry.billing.providers import Cancel, NewCustomer
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.providers.stripe_normal import subscription_with_all
from tenantry.billing.snapshots import ExternalId, Hint, PaymentSnapshot, Snapshot, SubscriptionSnapshot
from tenantry.kernel.clock import SystemClock

pytestmark = pytest.mark.deep

_KEY, _SECRET = "sk_test_12345", "whsec_local_test"
# Loopback only, which its own command is not, and without its pickle file in a folder of everybody's.
_SERVE = """
import sys
from aiohttp import web
from localstripe import resources, server
type(resources.store).dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Python with localstripe."""
    place = tmp_path_factory.mktemp("localstripe") / "venv"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True, timeout=300)
        python = str(place / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "localstripe==1.15.10"]
        subprocess.run(install, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("localstripe cannot be installed here")
    return python


@pytest.fixture
def url(others: str, tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = tmp_path / "serve.py"
    script.write_text(_SERVE)
    with subprocess.Popen([others, str(script), str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            _until(lambda: _answers(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def received(url: str) -> Iterator[list[tuple[bytes, dict[str, str]]]]:
    """The webhooks, as they arrive."""
    found: list[tuple[bytes, dict[str, str]]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 -- its name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        hook = {"url": f"http://127.0.0.1:{server.server_port}/hook", "secret": _SECRET}
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = httpx2.post(f"{url}/_config/webhooks/one", content=urlencode(hook), headers=form, trust_env=False)
        assert answer.status_code == 200
        yield found
        server.shutdown()
        thread.join(10)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not state():
        if time.monotonic() > deadline:
            raise AssertionError("waited for 30 seconds in vain")
        time.sleep(0.05)


def _with_card(client: stripe.StripeClient, customer: str, number: str) -> None:
    card: Any = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    method = client.v1.payment_methods.create({"type": "card", "card": card})
    client.v1.payment_methods.attach(method.id, {"customer": customer})
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})


async def test_a_subscriptions_life_in_the_old_shape(url, received):
    client = stripe.StripeClient(_KEY, base_addresses={"api": url}, max_network_retries=0)
    provider = StripeProvider(Credentials(url, key=_KEY, webhook_secrets=("whsec_another", _SECRET)), SystemClock())
    holder = uuid4()
    product = client.v1.products.create({"name": "Pro", "type": "service"})
    plan: Any = {"id": "pro-monthly", "product": product.id, "amount": 900, "currency": "usd", "interval": "month"}
    client.v1.plans.create(plan)
    customer = await provider.customer(NewCustomer(holder_id=holder, email="ada@example.org", key="c-1"))
    assert customer.holder_id == holder
    _with_card(client, customer.external_id, "4242424242424242")
    items: Any = [{"plan": "pro-monthly", "quantity": 2}]
    wanted: Any = {"customer": customer.external_id, "items": items, "metadata": {"holder_id": str(holder)}}
    made = client.v1.subscriptions.create(wanted)

    _until(lambda: {"customer.subscription.created", "invoice.payment_succeeded"} <= _events(provider, received))
    told = _told(provider, received, "customer.subscription.created")
    # Its API knows no prices, so nothing can be expanded; what it answers is the same old shape.
    read = subscription_with_all(client.raw_request("get", f"/v1/subscriptions/{made.id}").data)[-1]
    assert msgspec.structs.replace(told, version=None) == read
    assert isinstance(told, SubscriptionSnapshot)
    assert (told.status, told.quantity, told.price, told.holder_id) == ("active", 2, "pro-monthly", holder)
    assert told.period_start is not None
    assert told.period_end is not None
    assert 28 <= (told.period_end - told.period_start).days <= 31
    paid = _told(provider, received, "invoice.payment_succeeded")
    assert isinstance(paid, PaymentSnapshot)
    assert (paid.status, paid.amount, paid.subscription) == ("paid", 1800, made.id)

    client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    scheduled = subscription_with_all(client.raw_request("get", f"/v1/subscriptions/{made.id}").data)[-1]
    assert isinstance(scheduled, SubscriptionSnapshot)
    assert (scheduled.status, scheduled.cancel_at) == ("active", told.period_end)
    client.v1.subscriptions.cancel(made.id)
    _until(lambda: "customer.subscription.deleted" in _events(provider, received))
    ended = _told(provider, received, "customer.subscription.deleted")
    assert isinstance(ended, SubscriptionSnapshot)
    assert (ended.status, ended.external_id) == ("canceled", made.id)
    assert (await provider.read("product", ExternalId(product.id)))[-1].external_id == product.id
    await provider.aclose()


async def test_401_when_it_signs_with_another_secret(url, received):
    client = stripe.StripeClient(_KEY, base_addresses={"api": url}, max_network_retries=0)
    client.v1.products.create({"name": "Pro", "type": "service"})
    _until(lambda: bool(received))
    stranger = StripeProvider(Credentials(url, key=_KEY, webhook_secrets=("whsec_another",)), SystemClock())
    with pytest.raises(SignatureRefused):
        stranger.hint(*received[0], now=datetime.now(UTC))


async def test_a_declined_card_leaves_it_incomplete(url, received):
    client = stripe.StripeClient(_KEY, base_addresses={"api": url}, max_network_retries=0)
    product = client.v1.products.create({"name": "Pro", "type": "service"})
    plan: Any = {"id": "pro-monthly", "product": product.id, "amount": 900, "currency": "usd", "interval": "month"}
    client.v1.plans.create(plan)
    customer = client.v1.customers.create({"email": "ada@example.org"})
    _with_card(client, customer.id, "4000000000000341")
    items: Any = [{"plan": "pro-monthly"}]
    made = client.v1.subscriptions.create({"customer": customer.id, "items": items})
    found = subscription_with_all(client.raw_request("get", f"/v1/subscriptions/{made.id}").data)[-1]
    assert isinstance(found, SubscriptionSnapshot)
    assert found.status == "incomplete"


async def test_cancelled_by_us(url):
    client = stripe.StripeClient(_KEY, base_addresses={"api": url}, max_network_retries=0)
    provider = StripeProvider(Credentials(url, key=_KEY), SystemClock())
    product = client.v1.products.create({"name": "Pro", "type": "service"})
    plan: Any = {"id": "free-monthly", "product": product.id, "amount": 0, "currency": "usd", "interval": "month"}
    client.v1.plans.create(plan)
    customer = client.v1.customers.create({"email": "ada@example.org"})
    items: Any = [{"plan": "free-monthly"}]
    made = client.v1.subscriptions.create({"customer": customer.id, "items": items})
    ended = (await provider.change(ExternalId(made.id), Cancel(at_once=True)))[-1]
    assert isinstance(ended, SubscriptionSnapshot)
    assert (ended.status, ended.cancel_at) == ("canceled", None)
    assert ended.ended_at is not None
    await provider.aclose()


def _hints(provider: StripeProvider, received: list[tuple[bytes, dict[str, str]]]) -> list[Hint]:
    return [provider.hint(body, headers, now=datetime.now(UTC)) for body, headers in list(received)]


def _events(provider: StripeProvider, received: list[tuple[bytes, dict[str, str]]]) -> set[str]:
    return {hint.event for hint in _hints(provider, received)}


def _told(provider: StripeProvider, received: list[tuple[bytes, dict[str, str]]], event: str) -> Snapshot:
    number = next(number for number, hint in enumerate(_hints(provider, received)) if hint.event == event)
    return provider.told(received[number][0])[-1]
