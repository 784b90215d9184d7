"""Events of providers as others recorded them, signed for a test; and a double that answers what became of them all.

They are not ours to ship; where they lie beside the repository, they are read, and where they do not, the tests skip.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from billing.truth import Event
from tenantry.billing.providers import BillingProvider
from tenantry.billing.providers.building import Credentials
from tenantry.billing.providers.lemonsqueezy import LemonSqueezyProvider
from tenantry.billing.providers.polar import PolarProvider
from tenantry.billing.providers.stripe import StripeProvider
from tenantry.billing.snapshots import (
    TERMINAL,
    Hint,
    ObjectKind,
    PaymentSnapshot,
    PriceSnapshot,
    ProductSnapshot,
    Snapshot,
    SubscriptionSnapshot,
)
from tenantry.kernel.clock import FrozenClock

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "webhooks"
EVENTS = {"stripe": "event.*.json", "polar": "*.json", "lemonsqueezy": "docs.*.json"}
SECRET = "a-secret-of-the-tests"
KINDS: dict[str, ObjectKind] = {
    "ProductSnapshot": "product", "PriceSnapshot": "price", "CustomerSnapshot": "customer",
    "SubscriptionSnapshot": "subscription", "PaymentSnapshot": "payment",
}  # fmt: skip
REMEMBERED = {
    "PaymentSnapshot": (
        "intent", "customer", "subscription", "price", "number", "receipt_url", "paid_at", "period_start",
        "period_end", "email", "holder_id",
    ),
    "SubscriptionSnapshot": ("customer", "email", "holder_id"),
}  # fmt: skip
"""What an object has for good, though not every payload repeats it."""
Key = tuple[str, str]


class Sample(msgspec.Struct, frozen=True):
    """One recorded event: as it is sent, and what our provider sees in it."""

    name: str
    provider: str
    body: bytes
    hint: Hint
    told: tuple[Snapshot, ...]

    def signed(self, at: datetime) -> Event:
        return Event(self.body, signed(self.provider, self.name, self.body, at))


def signed(provider: str, name: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that the provider would send."""
    time, key = str(int(at.timestamp())), SECRET.encode()
    match provider:
        case "stripe":
            made = hmac.new(key, f"{time}.".encode() + body, hashlib.sha256).hexdigest()
            return {"stripe-signature": f"t={time},v1={made}"}
        case "polar":
            made = base64.b64encode(hmac.digest(key, f"{name}.{time}.".encode() + body, "sha256")).decode()
            return {"webhook-id": name, "webhook-timestamp": time, "webhook-signature": f"v1,{made}"}
    return {"x-signature": hmac.new(key, body, hashlib.sha256).hexdigest()}


def without_key(clock: FrozenClock) -> dict[str, BillingProvider]:
    """The three providers, which can verify and cannot ask."""
    given = Credentials(base_url="http://127.0.0.1:1", webhook_secrets=(SECRET,))
    return {
        "stripe": StripeProvider(given, clock),
        "polar": PolarProvider(given, clock),
        "lemonsqueezy": LemonSqueezyProvider(given, clock),
    }


def samples(clock: FrozenClock) -> list[Sample]:
    """Every recorded event in its provider's order; [] where there are none beside the repository."""
    providers, found = without_key(clock), []
    for provider, pattern in EVENTS.items():
        for path in sorted((SAMPLES / provider).glob(pattern)):
            body, known = path.read_bytes(), providers[provider]
            if provider == "stripe":
                # Who recorded them gave several events one id, or none but zeros.
                body = json.dumps({**json.loads(body), "id": f"evt_{path.stem}"}).encode()
            hint = known.hint(body, signed(provider, path.stem, body, clock.now()), now=clock.now())
            found.append(Sample(path.stem, provider, body, hint, tuple(known.told(body))))
    return sorted(found, key=_order)


def _order(one: Sample) -> tuple[Any, ...]:
    is_over = any(isinstance(said, SubscriptionSnapshot) and said.status in TERMINAL for said in one.told)
    return one.provider, one.hint.occurred_at or datetime.min.replace(tzinfo=UTC), is_over, one.name


@dataclass
class Double:
    """A provider of ours that can be asked once `is_away` is over: each object is as the newest payload has it."""

    inner: BillingProvider
    is_away: bool = True
    objects: dict[Key, Any] = field(default_factory=dict)
    behind: dict[Key, list[Key]] = field(default_factory=dict)

    @property
    def name(self) -> Any:
        return self.inner.name

    def learn(self, history: Iterable[Sample]) -> None:
        """What happened there, in order."""
        for sample in history:
            about = sample.hint.object_kind or "", sample.hint.object_id or ""
            for one in sample.told:
                if isinstance(one, PaymentSnapshot) and one.external_id is None:
                    one = msgspec.structs.replace(one, external_id=one.intent)  # noqa: PLW2901
                key = KINDS[type(one).__name__], str(one.external_id)
                self.objects[key] = _remembering(self.objects.get(key), one)
                if KINDS[type(one).__name__] == about[0]:
                    self.behind.setdefault(about, []).append(key)

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        return self.inner.hint(body, headers, now=now)

    def told(self, body: bytes) -> list[Snapshot]:
        return self.inner.told(body)

    async def read(self, kind: Any, external_id: Any) -> list[Snapshot]:
        if self.is_away:
            return await self.inner.read(kind, external_id)
        keys = dict.fromkeys([*self.behind.get((kind, external_id), []), (kind, external_id)])
        return [two for key in keys if key in self.objects for two in self._whole(self.objects[key])]

    async def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        found = [one for (of, _), one in sorted(self.objects.items()) if of == kind]
        prices = [one for (of, _), one in sorted(self.objects.items()) if of == "price"] if kind == "product" else []
        yield [two for one in (*found, *prices) for two in self._whole(one)]

    async def missed(self, since: datetime) -> AsyncIterator[Hint]:
        for one in ():
            yield one

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _whole(self, one: Any) -> list[Snapshot]:
        price = self.objects.get(("price", getattr(one, "price", None) or ""))
        of = one if isinstance(one, PriceSnapshot) else price
        product = self.objects.get(("product", of.product)) if of is not None else None
        customer = self.objects.get(("customer", getattr(one, "customer", None) or ""))
        parents = [two for two in (product, price, customer) if two is not None]
        return [*([] if isinstance(one, ProductSnapshot) else parents), one]


def _remembering(old: Any, new: Any) -> Any:
    kept = {name: getattr(new, name) or getattr(old, name, None) for name in REMEMBERED.get(type(new).__name__, ())}
    if "version" in new.__struct_fields__:
        kept["version"] = None
    return msgspec.structs.replace(new, **kept)
