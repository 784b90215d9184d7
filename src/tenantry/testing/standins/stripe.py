"""A stand-in for Stripe: the part of its REST API that billing asks, and signed events."""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .server import StandIn
from .stripe_account import Account
from .stripe_api import STRIPE_KEY, Api
from .stripe_shapes import Document

STRIPE_WEBHOOK_SECRET = "whsec_of_the_stand_in"  # noqa: S105 -- of the stand-in, for nothing else


class Delivery(msgspec.Struct, frozen=True):
    """One event on its way: the bytes, and the headers in lower case."""

    event: str
    body: bytes
    headers: dict[str, str]


class StripeStandIn(StandIn):
    """The running stand-in. `account` is what tests act upon: they pay, renew, refund, and set the shape."""

    def __init__(self, account: Account, *, host: str, port: int) -> None:
        self.account = account
        super().__init__(lambda url: Api(account, url).app(), host=host, port=port)

    def deliveries(
        self, *, random: Random | None = None, repeat: int = 0, lose: float = 0.0, secret: str = STRIPE_WEBHOOK_SECRET
    ) -> list[Delivery]:
        """The events that were not delivered, signed now; in order, or as `random` shuffles, repeats and loses them.

        `repeat`: up to so many times more. `lose`: which part never arrives; `/v1/events` says so.
        """
        random_ = random or Random(0)  # noqa: S311 -- it repeats itself on purpose
        with self.account.lock:
            found: list[Delivery] = []
            for event in self.account.events:
                if event["pending_webhooks"] == 0 or random_.random() < lose:
                    continue
                event["pending_webhooks"] = 0
                found += [self._signed(event, secret)] * (1 + random_.randint(0, repeat))
            if random is not None:
                random.shuffle(found)
            return found

    def send(self, url: str, **how: Any) -> list[int]:
        """Send them over HTTP; what is not answered with 2xx counts as not delivered. Returns the statuses."""
        where, statuses = urlsplit(url), []
        for one in self.deliveries(**how):
            connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
            connection.request("POST", where.path, one.body, one.headers)
            statuses.append(connection.getresponse().status)
            connection.close()
            if statuses[-1] >= 300:
                with self.account.lock:
                    next(event for event in self.account.events if event["id"] == one.event)["pending_webhooks"] = 1
        return statuses

    def _signed(self, event: Document, secret: str) -> Delivery:
        body, now = json.dumps({**event, "pending_webhooks": 1}).encode(), self.account.now
        signature = hmac.new(secret.encode(), b"%d.%s" % (now, body), hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={now},v1={signature}", "content-type": "application/json; charset=utf-8"}
        return Delivery(event["id"], body, headers)


def start_stripe(
    port: int = 0, *, host: str = "127.0.0.1", now: Callable[[], datetime] | None = None, is_live: bool = False
) -> StripeStandIn:
    """Start it on loopback; its address goes into `STRIPE_BASE_URL`, `STRIPE_KEY` into `STRIPE_API_KEY`.

    Modes of `StandIn.fault(mode, ...)`: `slow` and `drip` (seconds), `hang`, `drop`, `redirect`, `429` (retry_after),
    `500`, `lying` (kind: html, deep, shape, gzip).
    """
    return StripeStandIn(Account(now or (lambda: datetime.now(UTC)), is_live=is_live), host=host, port=port)


__all__ = ["STRIPE_KEY", "STRIPE_WEBHOOK_SECRET", "Delivery", "StripeStandIn", "start_stripe"]
