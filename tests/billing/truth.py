"""A payment provider in memory: what it holds is the truth, and it tells of it in events that a test hands on.

It signs, so that what arrives is verified; what goes on between telling and arriving is the test's.
"""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from tenantry.billing.errors import ChangeRefused, EventMalformed, ProviderAway, SignatureRefused
from tenantry.billing.providers.base import Cancel, Change, CheckoutPage, NewCustomer, PlanChange, PortalPage, Resume
from tenantry.billing.snapshots import (
    CustomerSnapshot,
    ExternalId,
    Hint,
    ObjectKind,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)

SECRET = b"truth-secret"
KINDS: dict[str, type[Any]] = {
    "subscription": SubscriptionSnapshot,
    "payment": PaymentSnapshot,
    "customer": CustomerSnapshot,
    "product": ProductSnapshot,
    "price": PriceSnapshot,
}


@dataclass
class Event:
    """An event on its way."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Truth:
    """Keeps `BillingProvider`.

    `is_away`: it does not answer; `refuses`: it changes nothing; `told_nobody`: what `missed` answers.
    """

    now: Callable[[], datetime]
    name: Any = "fake"
    is_away: bool = False
    refuses: bool = False
    slow: asyncio.Event | None = None
    objects: dict[str, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    told_nobody: list[Hint] = field(default_factory=list)
    reads: list[tuple[str, str]] = field(default_factory=list)
    customers_made: int = 0
    number: int = 0

    def put(self, one: Any) -> Event:
        """Change an object, and tell."""
        kind = next(kind for kind, cls in KINDS.items() if isinstance(one, cls))
        self.number += 1
        at = self.now() + timedelta(microseconds=self.number)
        if "version" in one.__struct_fields__:
            one = msgspec.structs.replace(one, version=at)
        self.objects[kind][one.external_id] = one
        body = json.dumps(
            {"id": f"evt_{self.number}", "kind": kind, "at": at.isoformat(), "object": msgspec.to_builtins(one)}
        ).encode()
        return self.signed(body)

    def sell(
        self, plan: str, *, price: str | None = None, amount: int = 900, tokens: int = 0, once: bool = False
    ) -> ExternalId:
        """Put a product with one price, whose metadata names the plan, up for sale; the price's id.

        `tokens`: what its metadata says of credits. `once`: it is paid once.
        """
        external_id = ExternalId(price or f"price_{plan}")
        self.put(ProductSnapshot(external_id=ExternalId(f"prod_{plan}"), name=plan.title(), details={"plan": plan}))
        self.put(
            PriceSnapshot(
                external_id=external_id,
                product=ExternalId(f"prod_{plan}"),
                amount=amount,
                interval=None if once else "month",
                details={"tokens": str(tokens)} if tokens else {},
            )
        )
        return external_id

    def signed(self, body: bytes) -> Event:
        return Event(body, {"x-fake-signature": hmac.new(SECRET, body, sha256).hexdigest()})

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        expected = hmac.new(SECRET, body, sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), headers.get("x-fake-signature", "").encode()):
            raise SignatureRefused
        try:
            event = json.loads(body)
            kind = event["kind"] if event["kind"] in KINDS else None
            return Hint(
                dedupe_key=event["id"],
                event=f"{event['kind']}.changed",
                object_kind=kind,
                object_id=ExternalId(event["object"]["external_id"]) if kind else None,
                occurred_at=datetime.fromisoformat(event["at"]),
                is_live=event.get("live", True),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise EventMalformed from error

    def told(self, body: bytes) -> list[Snapshot]:
        event = json.loads(body)
        return [msgspec.convert(event["object"], KINDS[event["kind"]])]

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        self._answers()
        self.reads.append((kind, external_id))
        found = self.objects[kind].get(external_id)
        if self.slow is not None:
            await self.slow.wait()
        return [] if found is None else [*self._parents(found), _now(found)]

    async def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        self._answers()
        found = list(self.objects[kind].values())
        for start in range(0, len(found), 3):
            page: list[Snapshot] = []
            for one in found[start : start + 3]:
                page += [*self._parents(one), _now(one)]
                if kind == "product":
                    page += [price for price in self.objects["price"].values() if price.product == one.external_id]
            yield page

    async def missed(self, since: datetime) -> AsyncIterator[Hint]:
        self._answers()
        for one in self.told_nobody:
            yield one

    async def customer(self, wanted: NewCustomer) -> CustomerSnapshot:
        self._answers()
        await asyncio.sleep(0)
        for one in self.objects["customer"].values():
            if one.holder_id == wanted.holder_id:
                return one
        self.customers_made += 1
        made = CustomerSnapshot(
            external_id=ExternalId(f"cus_{self.customers_made}"), email=wanted.email, holder_id=wanted.holder_id
        )
        self.objects["customer"][made.external_id] = made
        return made

    async def page(self, wanted: CheckoutPage | PortalPage) -> str:
        self._answers()
        return f"https://pay.example.test/{type(wanted).__name__.lower()}/{wanted.customer}"

    async def change(self, subscription: ExternalId, change: Change) -> list[Snapshot]:
        self._answers()
        if self.refuses:
            raise ChangeRefused("not now")
        old = self.objects["subscription"][subscription]
        given: dict[str, Any] = {}
        match change:
            case PlanChange():
                given = {"price": change.price}
            case Cancel(at_once=False):
                given = {"cancel_at": old.period_end}
            case Cancel():
                given = {"status": "canceled", "raw_status": "canceled", "ended_at": self.now()}
            case Resume():
                given = {"status": "active", "raw_status": "active", "cancel_at": None, "resumes_at": None}
            case _:
                given = {"status": "paused", "raw_status": "paused", "resumes_at": change.until}
        self.put(msgspec.structs.replace(old, **given))
        return [*self._parents(old), _now(self.objects["subscription"][subscription])]

    async def aclose(self) -> None:
        return

    def _answers(self) -> None:
        if self.is_away:
            raise ProviderAway(internal="the truth is away")

    def _parents(self, one: Any) -> list[Snapshot]:
        price = self.objects["price"].get(getattr(one, "price", None) or "")
        product = self.objects["product"].get(price.product) if price else None
        return [found for found in (product, price) if found is not None]


def _now(one: Any) -> Any:
    return msgspec.structs.replace(one, version=None) if "version" in one.__struct_fields__ else one


def subscription_of(holder: UUID | None, price: str, **given: Any) -> SubscriptionSnapshot:
    """An active subscription of a month from the kit's first day."""
    at = datetime.fromisoformat("2026-03-14T12:00:00+00:00")
    values: dict[str, Any] = {
        "external_id": "sub_1",
        "customer": "cus_x",
        "price": price,
        "status": "active",
        "raw_status": given.get("status", "active"),
        "period_start": at,
        "period_end": at + timedelta(days=31),
        "holder_id": holder,
        **given,
    }
    return SubscriptionSnapshot(**values)
