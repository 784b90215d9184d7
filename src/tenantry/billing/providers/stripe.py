"""Stripe: verified events, its API through the official SDK, and its three shapes in one normal form."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tenantry.kernel.clock import Clock

from ..errors import ChangeRefused, EventMalformed, ProviderAway
from ..snapshots import CustomerSnapshot, ExternalId, Hint, ObjectKind, ProviderName, Snapshot
from .base import Cancel, Change, CheckoutPage, NewCustomer, Pause, PlanChange, PortalPage, Resume
from .building import Credentials
from .stripe_asking import StripeAsking
from .stripe_events import event_of, hint_of, is_event, snapshots_of
from .stripe_fields import Document, id_of, rows, text, whole
from .stripe_normal import customer_of, price_of, subscription_with_all
from .stripe_reading import EXPAND_SUBSCRIPTION, listed, pages, read
from .stripe_signature import verify

_PRORATIONS = {"prorate": "create_prorations", "invoice": "always_invoice", "none": "none"}


class StripeProvider:
    """One account of Stripe's. The SDK is loaded with the first question that is asked, in a thread.

    Events are verified without it. Belongs to one event loop.
    """

    name: ProviderName = "stripe"

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._secrets = credentials.webhook_secrets
        self._stripe = StripeAsking(credentials)

    def hint(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Hint:
        verify(body, headers.get("stripe-signature"), self._secrets, now=now)
        return hint_of(event_of(body))

    def told(self, body: bytes) -> list[Snapshot]:
        try:
            return snapshots_of(event_of(body))
        except EventMalformed:
            return []

    async def read(self, kind: ObjectKind, external_id: ExternalId) -> list[Snapshot]:
        return await read(self._stripe.get, kind, external_id)

    def listed(self, kind: ObjectKind) -> AsyncIterator[list[Snapshot]]:
        return listed(self._stripe.get, kind)

    async def missed(self, since: datetime) -> AsyncIterator[Hint]:
        created = {"gte": int(since.timestamp())}
        async for page in pages(self._stripe.get, "events", delivery_success=False, created=created):
            for event in page:
                if is_event(event):
                    yield hint_of(event)

    async def customer(self, wanted: NewCustomer) -> CustomerSnapshot:
        return await self._customer_there_is(wanted) or await self._customer_made(wanted)

    async def page(self, wanted: CheckoutPage | PortalPage) -> str:
        if isinstance(wanted, PortalPage):
            session = await self._stripe.ask(
                "post", "billing_portal", "sessions", customer=wanted.customer, return_url=wanted.return_url
            )
        else:
            session = await self._stripe.ask(
                "post", "checkout", "sessions", idempotency_key=wanted.key, **await self._checkout(wanted)
            )
        url = text(session.get("url"))
        if url is None or not url.isprintable() or urlsplit(url).scheme not in {"http", "https"}:
            raise ProviderAway(internal="stripe: a page was made that has no address")
        return url

    async def change(self, subscription: ExternalId, change: Change) -> list[Snapshot]:
        found = await self._changed(subscription, change)
        snapshots = subscription_with_all(found)
        if not snapshots:
            raise ProviderAway(internal="stripe: a subscription was changed that cannot be read")
        return snapshots

    async def aclose(self) -> None:
        await self._stripe.aclose()

    async def _customer_there_is(self, wanted: NewCustomer) -> CustomerSnapshot | None:
        """By address, which Stripe answers as it is; else by holder, which its search knows after a minute only."""
        found = rows(await self._stripe.ask("get", "customers", email=wanted.email, limit=100))
        # Not every country's accounts have the search.
        with suppress(ChangeRefused):
            query = f"metadata['holder_id']:'{wanted.holder_id}'"
            found += rows(await self._stripe.ask("get", "customers", "search", query=query))
        customers = [one for row in found if (one := customer_of(row)) is not None and not one.is_deleted]
        return next((one for one in customers if one.holder_id == wanted.holder_id), None)

    async def _customer_made(self, wanted: NewCustomer) -> CustomerSnapshot:
        metadata = {"holder_id": str(wanted.holder_id)}
        asked = {"email": wanted.email, "name": wanted.name, "metadata": metadata}
        customer = customer_of(await self._stripe.ask("post", "customers", idempotency_key=wanted.key, **asked))
        if customer is None:
            raise ProviderAway(internal="stripe: a customer was made that cannot be read")
        return customer

    async def _checkout(self, wanted: CheckoutPage) -> dict[str, Any]:
        price = price_of(await self._stripe.ask("get", "prices", wanted.price))
        if price is None:
            raise ProviderAway(internal="stripe: a price was answered that cannot be read")
        holder = {"holder_id": str(wanted.holder_id)}
        asked: dict[str, Any] = {
            "customer": wanted.customer,
            "client_reference_id": str(wanted.holder_id),
            "line_items": [{"price": wanted.price, "quantity": wanted.quantity}],
            "success_url": wanted.success_url,
            "cancel_url": wanted.cancel_url,
            "metadata": holder,
        }
        if price.interval is None:
            # Without an invoice, nothing but this says later what was bought.
            asked |= {"mode": "payment", "payment_intent_data": {"metadata": {**holder, "price": wanted.price}}}
        else:
            trial = {"trial_period_days": wanted.trial_days} if wanted.trial_days else {}
            asked |= {"mode": "subscription", "subscription_data": {"metadata": holder, **trial}}
        if wanted.coupon is None:
            return asked | {"allow_promotion_codes": True}
        return asked | {"discounts": [await self._discount(wanted.coupon)]}

    async def _discount(self, code: str) -> dict[str, str]:
        """What customers type is a promotion code; what merchants write into links may be the coupon itself."""
        for one in rows(await self._stripe.ask("get", "promotion_codes", code=code, active=True, limit=1)):
            found = id_of(one)
            if found is not None:
                return {"promotion_code": found}
        return {"coupon": code}

    async def _changed(self, subscription: ExternalId, change: Change) -> Document:
        match change:
            case PlanChange():
                return await self._swapped(subscription, change)
            case Cancel(at_once=True):
                return await self._stripe.ask("delete", "subscriptions", subscription, expand=EXPAND_SUBSCRIPTION)
            case Cancel():
                return await self._updated(subscription, cancel_at_period_end=True)
            case Pause(until=until):
                times = {} if until is None else {"resumes_at": int(until.timestamp())}
                return await self._updated(subscription, pause_collection={"behavior": "void", **times})
            case Resume():
                return await self._resumed(subscription)

    async def _swapped(self, subscription: ExternalId, change: PlanChange) -> Document:
        now = await self._stripe.ask("get", "subscriptions", subscription)
        item = next(iter(rows(now.get("items"))), {})
        swap = {"id": id_of(item), "price": change.price, "quantity": whole(item.get("quantity"))}
        return await self._updated(
            subscription,
            items=[swap],
            proration_behavior=_PRORATIONS[change.proration],
            # Else a plan whose first invoice is declined would be in force, unpaid, for as long as the grace lasts.
            payment_behavior="error_if_incomplete",
        )

    async def _resumed(self, subscription: ExternalId) -> Document:
        """Take back whatever stands: Stripe refuses the two ways of scheduling an end in one question."""
        now = await self._stripe.ask("get", "subscriptions", subscription, expand=EXPAND_SUBSCRIPTION)
        if now.get("status") in {"canceled", "incomplete_expired"}:
            return await self._updated(subscription, cancel_at_period_end=False)  # for Stripe's own words of refusal
        if now.get("status") == "paused":
            now = await self._stripe.ask(
                "post", "subscriptions", subscription, "resume", expand=EXPAND_SUBSCRIPTION, billing_cycle_anchor="now"
            )
        if now.get("pause_collection") is not None:
            now = await self._updated(subscription, pause_collection="")
        if now.get("cancel_at_period_end") is True:
            now = await self._updated(subscription, cancel_at_period_end=False)
        if now.get("cancel_at") is not None:
            now = await self._updated(subscription, cancel_at="")
        return now

    async def _updated(self, subscription: ExternalId, **changes: Any) -> Document:
        return await self._stripe.ask("post", "subscriptions", subscription, expand=EXPAND_SUBSCRIPTION, **changes)
