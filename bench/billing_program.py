"""What `bench_billing` asks through uvicorn: `python -m bench.billing_program PORT WORKER API_URL SERVICE_URL`.

A product that is paid for through Stripe, whose events are signed and whose objects are read at once: what the worker
takes is ours alone. WORKER is `idle` or `draining`.
"""

import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from tenantry import Billing, Google, Meter, Plan, Price, Product, Settings, Stripe, create_app
from tenantry.billing import BillingProviders
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.snapshots import ExternalId, ObjectKind, Snapshot, SubscriptionSnapshot
from tenantry.kernel.clock import SystemClock

SECRET = "whsec_of_the_bench"
START = datetime(2026, 1, 1, tzinfo=UTC)
OBJECTS = 100
"""Subscriptions that events are about: each is told of often, as it is at a renewal."""
requests = Meter("requests", per="day")
PRODUCT = Product(
    "Bench",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 5}),
        Plan("pro", price=Price(900), limits={requests: 50}),
    ],
    billing=Billing(providers=[Stripe()]),
)


class Answering(StripeProvider):
    """Verifies as Stripe's does, and has every subscription at hand."""

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        end = START + timedelta(days=365)
        return [
            SubscriptionSnapshot(
                external_id=external_id, status="active", raw_status="active", period_start=START, period_end=end
            )
        ]


def application(api_url: str, service_url: str | None, *, worker: bool) -> FastAPI:
    """The product on a database that is migrated."""
    settings = Settings(database_url=api_url, service_url=service_url, secret_keys=(SecretStr("k" * 40),))
    provider = Answering(Credentials(base_url="http://127.0.0.1:1", webhook_secrets=(SECRET,)), SystemClock())
    ports: dict[type, Any] = {BillingProviders: BillingProviders({"stripe": provider})}
    return create_app(PRODUCT, settings, worker=worker, log_requests=False, ports=ports)


def events(numbers: Iterator[int]) -> Iterator[tuple[bytes, str]]:
    """Bodies of Stripe's usual size, each with its signature; no two are the same event."""
    item = {"id": "si_1", "quantity": 1, "price": {"id": "price_1"}, "filler": "x" * 1_200}
    now = int(datetime.now(UTC).timestamp())
    for number in numbers:
        data = {
            "id": f"sub_{number % OBJECTS}",
            "object": "subscription",
            "status": "active",
            "items": {"data": [item]},
        }
        event = {
            "id": f"evt_{number}", "object": "event", "type": "customer.subscription.updated", "created": now,
            "livemode": True, "data": {"object": data},
        }  # fmt: skip
        body = json.dumps(event).encode()
        made = hmac.new(SECRET.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
        yield body, f"t={now},v1={made}"


def numbered(start: int) -> Iterator[int]:
    """Numbers of events that nobody has used."""
    return count(start)


if __name__ == "__main__":
    port, worker, api_url, service_url = sys.argv[1:]
    app = application(api_url, service_url or None, worker=worker == "draining")
    options = {"log_config": None, "access_log": False, "proxy_headers": False, "server_header": False, "ws": "none"}
    uvicorn.run(app, port=int(port), timeout_keep_alive=600, **options)  # type: ignore[arg-type]
