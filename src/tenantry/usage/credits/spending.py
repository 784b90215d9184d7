"""Spending credits, at once or after the work. Each commits by itself, before whatever it pays for.

await spend(ctx, 5, reference=f"report:{report_id}")

Of what expires first is taken first. A spending that has a `reference` happens once, however often it is asked for.
"""

from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import TypedDict, Unpack
from uuid import UUID

from tenantry.kernel import Context, new_id
from tenantry.kernel.database import refuse_while_open
from tenantry.kernel.database.failures import UniqueViolation
from tenantry.kernel.permissions import require_of_member
from tenantry.kernel.problems import Forbidden

from ..permissions import CREDITS_SPEND
from . import queries
from .book import Book
from .errors import CreditReservationConflict, CreditReservationNotFound, CreditsInsufficient, CreditsSpentOtherwise
from .granting import AMOUNT_MAX, find, write
from .rows import Balance, Grant, Reservation, Spent

EXPIRES_MAX = timedelta(days=7)
"""Nothing is set aside for longer."""
WORDS_MAX = 200


class Terms(TypedDict, total=False):
    """What may be said of a spending or a reservation beside its amount.

    - `label`: what people read in their ledger, 1 to 200 characters.
    - `holder_id`: whose credits; without one the context's holder's.
    """

    label: str | None
    holder_id: UUID | None


async def spend(ctx: Context, amount: int, *, reference: str | None = None, **terms: Unpack[Terms]) -> Spent:
    """Spend 1 to 10**12 credits, or none at all; `ctx` has no open unit.

    Too few: `CreditsInsufficient` (402), and nothing has changed. The same `reference` (1 to 200 characters) spends
    once, and answers the same again; with another amount it is `CreditsSpentOtherwise` (409).
    """
    refuse_while_open("spending credits")
    _refuse_others(ctx)
    whose = _whose(ctx, terms)
    _fitting(amount, least=1)
    _short(terms.get("label"))
    _short(reference)
    async with ctx.service() as working:
        book = await find(working, whose)
        if book is not None and reference is not None:
            before = await queries.by_reference(working.db, whose, reference)
            if before is not None and before.amount != -amount:
                raise CreditsSpentOtherwise(reference=reference, amount=-before.amount)
            if before is not None:
                return Spent(before.number, amount, before.balance_after, reference)
        book = _enough(ctx, book, amount)
        entry = book.take(amount, "spend", reference=reference, label=terms.get("label"))
        await write(working, whose, book)
    return Spent(entry.number, amount, book.balance, reference)


async def reserve(
    ctx: Context, amount: int, *, expires_in: timedelta, reservation_id: UUID | None = None, **terms: Unpack[Terms]
) -> Reservation:
    """Set 1 to 10**12 credits aside, which nobody else spends meanwhile; `ctx` has no open unit.

    After `expires_in`, a second to seven days, they are free again by themselves. The clock does not stop for them:
    what expires meanwhile is gone. Too few: `CreditsInsufficient` (402). The same id with the same holder and amount
    answers the same reservation, also when it has ended; with others `CreditReservationConflict` (409).
    """
    refuse_while_open("reserving credits")
    _refuse_others(ctx)
    whose = _whose(ctx, terms)
    _fitting(amount, least=1)
    _short(terms.get("label"))
    if not timedelta(seconds=1) <= expires_in <= EXPIRES_MAX:
        msg = f"a reservation expires in a second to {EXPIRES_MAX.days} days, not in {expires_in}"
        raise ValueError(msg)
    async with ctx.service() as working:
        book = await find(working, whose)
        same = await queries.reservation(working.db, reservation_id) if reservation_id else None
        if same is not None and (same.holder_id, same.amount) != (whose, amount):
            raise CreditReservationConflict("A reservation of this id was made of other credits.")
        if same is not None:
            return same
        book = _enough(ctx, book, amount)
        await write(working, whose, book)
        seconds, label = ceil(expires_in.total_seconds()), terms.get("label")
        try:
            return await queries.add_reservation(
                working.db, reservation_id or new_id(), whose, amount=amount, seconds=seconds, label=label
            )
        except UniqueViolation:
            # Another holder's, this moment.
            raise CreditReservationConflict("A reservation of this id was made of other credits.") from None


async def settle(ctx: Context, reservation_id: UUID, used: int, *, holder_id: UUID | None = None) -> Reservation:
    """Spend what the work did cost, 0 to 10**12, and set the rest free; `ctx` has no open unit.

    For more than was set aside, what is there and nobody else's is taken; `missing` of the answer says what was not.
    The same after it expired, once. The same figure again answers the same, another `CreditReservationConflict` (409).
    `CreditReservationNotFound` (404): there is none, or it is another holder's than `holder_id` or the context's.
    Without either, as in a job, it is anybody's.
    """
    refuse_while_open("settling credits")
    _fitting(used, least=0)
    async with ctx.service() as working:
        book, found = await _held(working, reservation_id, holder_id)
        if found.status in {"settled", "released"}:
            if (found.status, found.used) != ("settled", used):
                raise CreditReservationConflict.of(found)
            return found
        own = found.amount if found.status == "held" and found.expires_at > book.at else 0
        taken = book.covers(used, own)
        if taken:
            book.take(taken, "spend", label=found.label)
        await write(working, found.holder_id, book)
        return await queries.end(working.db, found.id, status="settled", used=used, settled=taken)


async def release(ctx: Context, reservation_id: UUID, *, holder_id: UUID | None = None) -> Reservation:
    """Set all of it free: the work was not done. Like `settle` otherwise, also after it expired."""
    refuse_while_open("releasing credits")
    async with ctx.service() as working:
        _, found = await _held(working, reservation_id, holder_id)
        if found.status == "settled":
            raise CreditReservationConflict.of(found)
        if found.status == "released":
            return found
        return await queries.end(working.db, found.id, status="released")


async def balance(ctx: Context, *, holder_id: UUID | None = None) -> Balance:
    """What a holder has at this second, in one statement; without `holder_id` the context's."""
    async with ctx.service(writes=False) as reading:
        return balance_of(*await queries.live(reading.db, holder_id or ctx.holder.id))


def balance_of(reserved: int, grants: Sequence[Grant]) -> Balance:
    """The same of what is left; `grants` in the order in which they expire."""
    in_all = sum(one.remaining for one in grants)
    ends_at = grants[0].expires_at if grants else None
    expiring = sum(one.remaining for one in grants if one.expires_at == ends_at) if ends_at else 0
    return Balance(in_all, min(reserved, in_all), ends_at, expiring)


async def _held(ctx: Context, reservation_id: UUID, holder_id: UUID | None) -> tuple[Book, Reservation]:
    """A reservation and its account, both locked."""
    whose = holder_id or (ctx.current_holder.id if ctx.current_holder else None)
    found = await queries.reservation(ctx.db, reservation_id)
    if found is None or whose not in {None, found.holder_id}:
        raise CreditReservationNotFound
    book = await find(ctx, found.holder_id)
    found = await queries.reservation(ctx.db, reservation_id, lock=True)
    if book is None or found is None:
        raise CreditReservationNotFound
    return book, found


def _enough(ctx: Context, book: Book | None, amount: int) -> Book:
    if book is None or book.available < amount:
        raise CreditsInsufficient.of(ctx, amount, book.available if book else 0, book.reserved if book else 0)
    return book


def _refuse_others(ctx: Context) -> None:
    require_of_member(ctx, CREDITS_SPEND)
    eyes = ctx.actor.impersonation
    # Also where a route costs something that is only read.
    if eyes is not None and not eyes.may_write:
        raise Forbidden(permission=CREDITS_SPEND.name)


def _short(text: str | None) -> None:
    if text is not None and not 1 <= len(text) <= WORDS_MAX:
        msg = f"a label or a reference has 1 to {WORDS_MAX} characters, not {len(text)}"
        raise ValueError(msg)


def _whose(ctx: Context, terms: Terms) -> UUID:
    return terms.get("holder_id") or ctx.holder.id


def _fitting(amount: int, *, least: int) -> None:
    if not least <= amount <= AMOUNT_MAX:
        msg = f"{least} to {AMOUNT_MAX} credits, not {amount}"
        raise ValueError(msg)
