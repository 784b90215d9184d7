"""`/v1/checkout`, `/v1/portal`: addresses of the payment provider's pages; `/v1/payments`: what was paid."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from tenantry.kernel import Context, Read, SignedIn, problems
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.problems import Invalid, RoleRefused, Unauthenticated

from .. import actions
from ..errors import (
    ChangeRefused,
    CustomerUnknown,
    EmailUnproven,
    OrganizationNeeded,
    PlanNotForSale,
    PriceNotForSale,
    SubscribedAlready,
)
from ..links import receipt_of
from ..permissions import BILLING_READ
from ..queries import reading
from ..rows import Payment
from ..snapshots import Interval, PaymentStatus, ProviderName, Reason
from .asked import ASK, Body, Limit, Lookup, Offset, PlanName, one_of_two

router = APIRouter(tags=["billing"])

Coupon = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[!-~]+$")]


class OpenCheckout(Body):
    """A plan or a price to be bought, one of the two. `coupon` is the payment provider's own code."""

    plan: PlanName | None = None
    interval: Interval | None = Field(None, description="Which of the plan's prices; without one, its first.")
    lookup: Lookup | None = Field(None, description="The same by a price's lookup key.")
    price: Lookup | None = Field(None, description="A price by its id, ours (`GET /v1/products`) or the provider's.")
    coupon: Coupon | None = None


class Leads(BaseModel):
    """The address of a page of the payment provider's, good for some minutes."""

    url: str


class PaymentEntry(BaseModel):
    """A payment, `refunded` of which was given back; both in minor units. `receipt_url` is the provider's page."""

    id: UUID
    provider: ProviderName
    status: PaymentStatus
    reason: Reason
    amount: int
    refunded: int
    currency: str
    number: str | None
    receipt_url: str | None
    paid_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, ctx: Context, payment: Payment) -> Self:
        """What its payer is told of a payment."""
        names = (
            "id", "provider", "status", "reason", "currency", "number", "paid_at", "period_start", "period_end",
            "created_at",
        )  # fmt: skip
        return cls(
            **{name: getattr(payment, name) for name in names},
            amount=payment.amount_minor,
            refunded=payment.refunded_minor,
            receipt_url=receipt_of(ctx, payment),
        )


class PaymentList(BaseModel):
    """Payments, newest first."""

    items: list[PaymentEntry]
    next_cursor: UUID | None


@router.post(
    "/v1/checkout",
    status_code=201,
    responses=problems(
        *ASK, ChangeRefused, EmailUnproven, OrganizationNeeded, PlanNotForSale, PriceNotForSale, SubscribedAlready
    ),
)
async def open_checkout(body: OpenCheckout, ctx: SignedIn) -> Leads:
    """Open a page of the payment provider's where a plan, or a price by its id, is paid for."""
    one_of_two(body.plan, body.price)
    if body.price is not None:
        return Leads(url=await actions.checkout_price(ctx, body.price, coupon=body.coupon))
    url = await actions.checkout(ctx, body.plan or "", interval=body.interval, lookup=body.lookup, coupon=body.coupon)
    return Leads(url=url)


@router.post("/v1/portal", responses=problems(*ASK, CustomerUnknown))
async def open_portal(ctx: SignedIn) -> Leads:
    """Open the page of the payment provider's about cards, invoices and the subscription."""
    return Leads(url=await actions.portal(ctx))


@router.get("/v1/payments", responses=problems(Invalid, RoleRefused, Unauthenticated))
async def list_payments(ctx: Read, limit: Limit = 50, cursor: UUID | None = None, offset: Offset = 0) -> PaymentList:
    """List the payments of who is signed in or of their organization, with what was given back of them."""
    require_of_member(ctx, BILLING_READ)
    found = await reading.payments(ctx.db, ctx.holder.id, before=cursor, limit=limit + 1, offset=offset)
    shown = [PaymentEntry.of(ctx, one) for one in found[:limit]]
    return PaymentList(items=shown, next_cursor=shown[-1].id if len(found) > limit else None)
