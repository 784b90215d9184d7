"""`/v1/credits`: what the caller has, what became of it, and spending it, at once or after the work.

For people and for keys, each on their own holder. An operator's service key, one with the scope `authorize`, may name
any holder: a service in another language spends for its people with it. Only such a key sets credits aside and ends
what was set aside: whose credits they are is not to say what the work did cost.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tenantry.kernel import Caller, Context, Read, problems
from tenantry.kernel.permissions import Permission, require_of_member
from tenantry.kernel.problems import Forbidden, Invalid, RoleRefused, Unauthenticated
from tenantry.product import AUTHORIZE
from tenantry.web import CrossSiteRefused

from ..permissions import CREDITS_READ
from . import queries, spending
from .errors import CreditReservationConflict, CreditReservationNotFound, CreditsInsufficient, CreditsSpentOtherwise
from .export import ENTRIES_MAX, csv_of
from .granting import AMOUNT_MAX
from .rows import Entry, Grant, Kind, Reason, Reservation

router = APIRouter(prefix="/v1/credits", tags=["credits"])

FOR_ANYBODY = Permission(AUTHORIZE.name, AUTHORIZE.description)
GRANTS_MAX = 100

Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=100_000)]
Cursor = Annotated[int, Query(ge=1, le=AMOUNT_MAX)]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
HolderId = Annotated[UUID | None, Query(description="Another holder, for a key with the scope `authorize`.")]


class Body(BaseModel):
    """A body without members that nobody knows."""

    model_config = ConfigDict(extra="forbid")

    holder_id: UUID | None = Field(None, description="Another holder, for a key with the scope `authorize`.")


class Spending(Body):
    """What is spent. `reference`: the same is spent once, for ever; `label`: what is read in the ledger."""

    amount: Amount
    reference: Short | None = None
    label: Short | None = None


class Reserving(Body):
    """What is set aside, and after how many seconds it is free again by itself; a week at most."""

    amount: Amount
    expires_in: Annotated[int, Field(ge=1, le=7 * 24 * 3600)] = 600
    label: Short | None = None


class Settling(Body):
    """What the work did cost."""

    used: Annotated[int, Field(ge=0, le=AMOUNT_MAX)]


class Releasing(Body):
    """The work was not done."""


class CreditGrant(BaseModel):
    """What was given, and what is left of it. `expires_at` null: never."""

    id: UUID
    reason: Reason
    amount: int
    remaining: int
    expires_at: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> Self:
        names = ("id", "reason", "amount", "remaining", "expires_at")
        return cls(**{name: getattr(grant, name) for name in names})


class MyCredits(BaseModel):
    """What there is: `balance` in all, `reserved` of it for work under way, `available` to be spent.

    `next_expiry`: when the next of it expires, null where nothing does; `expiring`: how much then. `grants`: what is
    left, in the order in which it is spent.
    """

    name: str
    balance: int
    reserved: int
    available: int
    next_expiry: datetime | None
    expiring: int
    grants: list[CreditGrant]


class SpentCredits(BaseModel):
    """What was spent, and the balance after it. `number`: that of the entry."""

    number: int
    amount: int
    balance: int
    reference: str | None


class CreditReservation(BaseModel):
    """Units set aside. Once settled: `used` is what it cost, `settled` what of it was taken, `missing` the rest."""

    id: UUID
    status: str
    amount: int
    used: int | None
    settled: int | None
    missing: int
    label: str | None
    expires_at: datetime

    @classmethod
    def of(cls, one: Reservation) -> Self:
        names = ("id", "status", "amount", "used", "settled", "missing", "label", "expires_at")
        return cls(**{name: getattr(one, name) for name in names})


class LedgerEntry(BaseModel):
    """One change of the balance, numbered from 1; their sum is the balance after the last."""

    number: int
    kind: Kind
    amount: int
    balance_after: int
    label: str | None
    reference: str | None
    created_at: datetime | None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        names = ("number", "kind", "amount", "balance_after", "label", "reference", "created_at")
        return cls(**{name: getattr(entry, name) for name in names})


class Ledger(BaseModel):
    """Entries, newest first."""

    items: list[LedgerEntry]
    next_cursor: int | None


_ASK = (CrossSiteRefused, Forbidden, Invalid, Unauthenticated)
_ID = "/reservations/{reservation_id}"


@router.get("", responses=problems(Forbidden, Invalid, RoleRefused, Unauthenticated))
async def read_credits(ctx: Caller, holder_id: HolderId = None) -> MyCredits:
    """Answer what there is, what of it expires next, and of which grants it is."""
    require_of_member(ctx, CREDITS_READ)
    whose = _whose(ctx, holder_id)
    async with ctx.service(writes=False) as reading:
        reserved, grants = await queries.live(reading.db, whose)
    found = spending.balance_of(reserved, grants)
    return MyCredits(
        name=ctx.product.credits.name if ctx.product.credits else "credits",
        balance=found.balance,
        reserved=found.reserved,
        available=found.available,
        next_expiry=found.next_expiry,
        expiring=found.expiring,
        grants=[CreditGrant.of(one) for one in grants[:GRANTS_MAX]],
    )


@router.get("/entries", responses=problems(Invalid, RoleRefused, Unauthenticated))
async def list_entries(ctx: Read, limit: Limit = 50, cursor: Cursor | None = None, offset: Offset = 0) -> Ledger:
    """List what became of the credits of who is signed in."""
    require_of_member(ctx, CREDITS_READ)
    found = await queries.page(ctx.db, ctx.holder.id, before=cursor, limit=limit + 1, offset=offset)
    shown = [LedgerEntry.of(one) for one in found[:limit]]
    return Ledger(items=shown, next_cursor=shown[-1].number if len(found) > limit else None)


@router.get(
    "/export.csv",
    response_class=Response,
    responses=problems(RoleRefused, Unauthenticated)
    | {
        200: {
            "description": f"A header and a line for each entry, newest first, {ENTRIES_MAX} at most.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "number,at,kind,amount,balance_after,label,reference\r\n"
                    "2,2026-03-14T12:00:00Z,spend,-5,95,Report,report:1\r\n",
                }
            },
        }
    },
)
async def export_entries(ctx: Read) -> Response:
    """Answer the ledger as a CSV file (RFC 4180, UTF-8, times in UTC)."""
    require_of_member(ctx, CREDITS_READ)
    text = csv_of(await queries.page(ctx.db, ctx.holder.id, limit=ENTRIES_MAX))
    headers = {
        "Content-Disposition": 'attachment; filename="credits.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post(
    "/spend", status_code=201, responses=problems(*_ASK, CreditsInsufficient, CreditsSpentOtherwise, RoleRefused)
)
async def spend_credits(body: Spending, ctx: Caller) -> SpentCredits:
    """Spend credits, or none at all where there are too few."""
    done = await spending.spend(ctx, body.amount, reference=body.reference, **_terms(ctx, body, body.label))
    return SpentCredits(number=done.number, amount=done.amount, balance=done.balance, reference=done.reference)


@router.post(
    "/reservations",
    status_code=201,
    responses=problems(*_ASK, CreditReservationConflict, CreditsInsufficient, RoleRefused),
)
async def reserve_credits(body: Reserving, ctx: Caller) -> CreditReservation:
    """Set credits aside for work whose cost is known afterwards."""
    ctx.require(FOR_ANYBODY)
    expires_in = timedelta(seconds=body.expires_in)
    made = await spending.reserve(ctx, body.amount, expires_in=expires_in, **_terms(ctx, body, body.label))
    return CreditReservation.of(made)


_ENDING = problems(*_ASK, CreditReservationConflict, CreditReservationNotFound)


@router.post(f"{_ID}/settle", responses=_ENDING)
async def settle_credits(reservation_id: UUID, body: Settling, ctx: Caller) -> CreditReservation:
    """Spend what the work did cost, and set the rest free."""
    ctx.require(FOR_ANYBODY)
    whose = _whose(ctx, body.holder_id)
    return CreditReservation.of(await spending.settle(ctx, reservation_id, body.used, holder_id=whose))


@router.post(f"{_ID}/release", responses=_ENDING)
async def release_credits(reservation_id: UUID, ctx: Caller, body: Releasing | None = None) -> CreditReservation:
    """Set all of it free: the work was not done."""
    ctx.require(FOR_ANYBODY)
    whose = _whose(ctx, body.holder_id if body else None)
    return CreditReservation.of(await spending.release(ctx, reservation_id, holder_id=whose))


def _whose(ctx: Context, holder_id: UUID | None) -> UUID:
    if holder_id is None or (ctx.current_holder is not None and holder_id == ctx.holder.id):
        return ctx.holder.id
    ctx.require(FOR_ANYBODY)
    return holder_id


def _terms(ctx: Context, body: Body, label: str | None) -> Any:
    return {"label": label, "holder_id": _whose(ctx, body.holder_id)}
