"""Payments through the stand-in provider on this machine: for the first look and for tests, never for production."""

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from tenantry.kernel.clock import Clock

from ..demo import DEMO_KEY, DEMO_WEBHOOK_SECRET
from ..errors import ChangeRefused, EventMalformed, ProviderAway, SignatureRefused
from ..snapshots import (
    CustomerSnapshot,
    ExternalId,
    Hint,
    ObjectKind,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    ProviderName,
    Snapshot,
    SubscriptionSnapshot,
)
from .base import Cancel, Change, CheckoutPage, NewCustomer, Pause, PlanChange, PortalPage
from .http import Answer, ProviderApi

TOLERANCE = timedelta(minutes=5)
_TYPES: dict[ObjectKind, type[Snapshot]] = {
    "product": ProductSnapshot,
    "price": PriceSnapshot,
    "customer": CustomerSnapshot,
    "subscription": SubscriptionSnapshot,
    "payment": PaymentSnapshot,
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_PAGES_MAX = 10_000
_Shape = TypeVar("_Shape")


class _Event(msgspec.Struct, frozen=True):
    id: str
    event: str
    occurred_at: datetime
    kind: str | None = None
    object_id: ExternalId | None = None
    object: Any = None


class _Page(msgspec.Struct, frozen=True):
    items: list[dict[str, Any]]
    next: str | None = None


class _Named(msgspec.Struct, frozen=True):
    kind: ObjectKind
    item: dict[str, Any]


class _Whole(msgspec.Struct, frozen=True):
    item: dict[str, Any]
    included: list[_Named] = []


class _Address(msgspec.Struct, frozen=True):
    url: str


class FakeProvider:
    """The stand-in at `base_url`. Its webhook secret is fixed and public: it is worth nothing but on this machine."""

    name: ProviderName = "fake"

    def __init__(self, base_url: str, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._api = ProviderApi("fake", base_url, {"authorization": f"Bearer {DEMO_KEY}"})

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        """See `BillingProvider.hint`. The signature covers the event's id, the time it was sent, and the body."""
        event_id, sent_at = headers.get("x-fake-id", ""), headers.get("x-fake-timestamp", "")
        if not _is_recent(sent_at, now):
            raise SignatureRefused
        words = f"{event_id}.{sent_at}.".encode("utf-8", "replace") + body
        expected = hmac.new(DEMO_WEBHOOK_SECRET.encode(), words, hashlib.sha256).hexdigest()
        given = headers.get("x-fake-signature", "").encode("utf-8", "replace")
        if not event_id or not hmac.compare_digest(expected.encode(), given):
            raise SignatureRefused
        event = _event(body)
        if event is None or len(event_id) > 255:
            raise EventMalformed
        return _hint(event, event_id)

    def told(self, body: bytes) -> list[Snapshot]:
        """See `BillingProvider.told`."""
        event = _event(body)
        kind = None if event is None else _kind(event)
        if event is None or kind is None or not isinstance(event.object, dict):
            return []
        try:
            told = _snapshot(kind, event.object)
        except msgspec.ValidationError:
            return []
        if isinstance(told, SubscriptionSnapshot | PaymentSnapshot):
            return [msgspec.structs.replace(told, version=event.occurred_at)]
        return [told]

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        """See `BillingProvider.read`."""
        if not _ID.fullmatch(external_id):
            return []
        answer = await self._api.ask("GET", f"/v1/{kind}s/{external_id}")
        return [] if answer.status == 404 else _whole(kind, _good(answer))

    async def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        """See `BillingProvider.listed`. Products come first, then their prices."""
        for one in ("product", "price") if kind == "product" else (kind,):
            async for page in self._pages(f"/v1/{one}s", {}):
                yield [_made(one, item) for item in page]

    async def missed(self, since: datetime) -> AsyncIterator[Hint]:
        """See `BillingProvider.missed`."""
        query = {"undelivered": "1", "since": since.isoformat()}
        async for page in self._pages("/v1/events", query):
            for one in page:
                event = _as(_Event, one)
                yield _hint(event, event.id)

    async def customer(self, wanted: NewCustomer) -> CustomerSnapshot:
        """See `BillingProvider.customer`."""
        asked = {"holder_id": str(wanted.holder_id), "email": wanted.email, "name": wanted.name}
        answer = await self._api.ask("POST", "/v1/customers", json=asked, headers={"idempotency-key": wanted.key})
        made = _made("customer", _as(_Whole, _good(answer)).item)
        if not isinstance(made, CustomerSnapshot):
            raise ProviderAway(internal="fake: no customer")
        return made

    async def page(self, wanted: CheckoutPage | PortalPage) -> str:
        """See `BillingProvider.page`."""
        asked = msgspec.to_builtins(wanted)
        if isinstance(wanted, CheckoutPage):
            key = asked.pop("key")
            answer = await self._api.ask("POST", "/v1/checkouts", json=asked, headers={"idempotency-key": key})
        else:
            answer = await self._api.ask("POST", "/v1/portals", json=asked)
        url = _as(_Address, _good(answer)).url
        if not url.startswith(f"{self._base_url}/"):
            raise ProviderAway(internal="fake: a page that is elsewhere")
        return url

    async def change(self, subscription: ExternalId, change: Change) -> list[Snapshot]:
        """See `BillingProvider.change`."""
        if not _ID.fullmatch(subscription):
            raise ChangeRefused
        answer = await self._api.ask("POST", f"/v1/subscriptions/{subscription}/changes", json=_asked(change))
        if answer.status in {404, 409, 422}:
            raise ChangeRefused(_reason(answer))
        return _whole("subscription", _good(answer))

    async def aclose(self) -> None:
        """See `BillingProvider.aclose`."""
        await self._api.aclose()

    async def _pages(self, path: str, query: Mapping[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        after: dict[str, str] = {}
        for _ in range(_PAGES_MAX):
            page = _as(_Page, _good(await self._api.ask("GET", path, query={**query, **after})))
            yield page.items
            if page.next is None:
                return
            after = {"after": page.next}
        raise ProviderAway(internal=f"fake: {path} has no end")


def _is_recent(sent_at: str, now: datetime) -> bool:
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        return False
    return abs(now.timestamp() - int(sent_at)) <= TOLERANCE.total_seconds()


def _event(body: bytes) -> _Event | None:
    try:
        return msgspec.json.decode(body, type=_Event)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _kind(event: _Event) -> ObjectKind | None:
    return next((kind for kind in _TYPES if kind == event.kind), None)


def _hint(event: _Event, key: str) -> Hint:
    kind = _kind(event) if event.object_id else None
    return Hint(
        dedupe_key=key,
        event=event.event,
        object_kind=kind,
        object_id=event.object_id if kind else None,
        occurred_at=event.occurred_at,
        is_live=False,
    )


def _asked(change: Change) -> dict[str, Any]:
    match change:
        case PlanChange(price, proration):
            return {"kind": "plan", "price": price, "proration": proration}
        case Cancel(at_once):
            return {"kind": "cancel", "at_once": at_once}
        case Pause(until):
            return {"kind": "pause", "until": until}
        case _:
            return {"kind": "resume"}


def _good(answer: Answer) -> Any:
    if not answer.is_good:
        raise ProviderAway(internal=f"fake: status {answer.status}: {_reason(answer)}")
    return answer.document


def _reason(answer: Answer) -> str | None:
    said = answer.document.get("error") if isinstance(answer.document, dict) else None
    return said[:500] if isinstance(said, str) else None


def _as(shape: type[_Shape], document: Any) -> _Shape:
    try:
        return msgspec.convert(document, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ProviderAway(internal=f"fake: an answer of another shape: {error}") from error


def _whole(kind: ObjectKind, document: Any) -> list[Snapshot]:
    whole = _as(_Whole, document)
    return [*(_made(one.kind, one.item) for one in whole.included), _made(kind, whole.item)]


def _made(kind: ObjectKind, item: dict[str, Any]) -> Snapshot:
    try:
        return _snapshot(kind, item)
    except msgspec.ValidationError as error:
        raise ProviderAway(internal=f"fake: a {kind} of another shape: {error}") from error


def _snapshot(kind: ObjectKind, item: dict[str, Any]) -> Snapshot:
    """Its objects have our fields; only the id is called otherwise, and the status is its own word."""
    known = {**item, "external_id": item.get("id")}
    if kind == "subscription":
        known["raw_status"] = item.get("status")
    return msgspec.convert(known, _TYPES[kind])
