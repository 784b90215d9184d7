"""Giving credits and taking them back. All of it in the unit that the caller has open on the service login."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec

from tenantry.holders import HolderNotFound, by_user
from tenantry.holders.organizations import by_organization
from tenantry.identity.events import UserRegistered
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import audit
from tenantry.organizations.events import OwnOrganizationOpened

from . import queries
from .book import Book
from .rows import Grant, Reason

AMOUNT_MAX = 10**12
WHOLE = Fraction(1)


class Kept(msgspec.Struct, frozen=True):
    """What a fact should have brought by now, all in all; see `keep`.

    `amount` 0: no more than was granted, and nothing where nothing was. `expires_at` UNSET: as it is. `revoked`: the
    share that is asked back. `series` and `begins_at`: older grants of the series end then. `detail`: what is
    remembered of it.
    """

    fact: str
    amount: int
    reason: Reason
    expires_at: datetime | msgspec.UnsetType | None = None
    revoked: Fraction = Fraction(0)
    series: str | None = None
    begins_at: datetime | None = None
    detail: Mapping[str, Any] = {}


async def grant(
    ctx: Context,
    holder_id: UUID,
    amount: int,
    *,
    fact: str,
    expires_at: datetime | timedelta | None = None,
    reason: Reason = "other",
) -> Grant:
    """Give a holder 1 to 10**12 credits for a fact, once, however often and from wherever it is told.

    `fact` is the caller's own word for it, 1 to 700 characters; told again it answers the grant as it stands, and
    nothing has changed. `expires_at`: when what is left of them is gone, or after how long; None: never. What is over
    already is in the ledger, and gone. Raises `HolderNotFound`, and ValueError for another amount.
    """
    book = await locked(ctx, holder_id, facts=[fact], opens=True)
    found = book.by_fact(fact)
    if found is None:
        ends_at = book.at + expires_at if isinstance(expires_at, timedelta) else expires_at
        found = book.add(_new(fact, _fitting(amount), reason, ends_at))
    await write(ctx, holder_id, book)
    return book.now(found)


async def keep(
    ctx: Context, holder_id: UUID, wanted: Sequence[Kept], *, ended: Mapping[str, datetime] | None = None
) -> None:
    """Bring the grants of facts to what they should be: of so many units or more, until then, so much asked back.

    What it says is all that was ever due, not what comes on top: whoever says it twice, or late, changes nothing. A
    grant is never lowered by it, but by `revoked`, and what expired does not come back. `ended`: series whose grants
    end at a time, if they would last longer. Raises what `grant` raises.
    """
    facts = [one.fact for one in wanted]
    book = await find(ctx, holder_id, facts=facts)
    if book is None:
        if not any(one.amount for one in wanted):
            return
        # Somebody else may have opened it meanwhile, for the same facts.
        book = await locked(ctx, holder_id, facts=facts, opens=True)
    for one in wanted:
        _keep(book, one)
    for series, at in (ended or {}).items():
        _end(book, book.of_series(series), at)
    await write(ctx, holder_id, book)


async def newest_of_series(ctx: Context, holder_id: UUID, series: str) -> Grant | None:
    """The last grant of a series, whatever is left of it."""
    return await queries.newest_of_series(ctx.db, holder_id, series)


async def revoke(ctx: Context, holder_id: UUID, fact: str, share: Fraction = WHOLE) -> Grant | None:
    """Ask a share of a fact's grant back, 0 to 1, all times together; None: there is no such grant.

    Only what is left of it is taken: who has spent it has spent it, and nobody's balance is ever negative.
    """
    book = await find(ctx, holder_id, facts=[fact])
    found = book.by_fact(fact) if book else None
    if book is None or found is None:
        return None
    book.revoke(found, min(max(share, Fraction(0)), WHOLE))
    await write(ctx, holder_id, book)
    return book.now(found)


async def set_balance(
    ctx: Context, holder_id: UUID, amount: int, *, expires_at: datetime | None, reason: str
) -> Grant | None:
    """Put a holder's credits and their expiry by hand, at once: whatever was there goes, so many are there. Audited.

    0 to 10**12; None is answered for 0. Reservations stand, and find what is there then. Raises what `grant` raises.
    """
    book = await locked(ctx, holder_id, opens=True)
    before, found = book.balance, None
    if before:
        # Without the reason: the ledger is the holder's to read, and the audit log the operators'.
        book.take(before, "set")
    if amount:
        found = book.add(_new(f"admin:{new_id()}", _fitting(amount), "admin", expires_at))
    await write(ctx, holder_id, book)
    detail = {"amount": amount, "before": before, "expires_at": expires_at.isoformat() if expires_at else None}
    await audit(ctx, "credits.set", subject=("holder", holder_id), reason=reason, detail=detail)
    return found


async def give(ctx: Context, holder_id: UUID, amount: int, *, expires_at: datetime | None = None, reason: str) -> Grant:
    """Grant so many by an operator's word, on top of what is there. Audited. Raises what `grant` raises."""
    found = await grant(ctx, holder_id, amount, fact=f"admin:{new_id()}", expires_at=expires_at, reason="admin")
    detail = {"amount": amount, "expires_at": expires_at.isoformat() if expires_at else None}
    await audit(ctx, "credits.given", subject=("holder", holder_id), reason=reason, detail=detail)
    return found


async def give_gift(ctx: Context, event: UserRegistered | OwnOrganizationOpened) -> None:
    """Give who has just signed up what the product gives everybody; where organizations hold plans, their own one."""
    declared, holder = ctx.product.credits, None
    if declared is None or not declared.on_sign_up:
        return
    if isinstance(event, OwnOrganizationOpened):
        holder = await by_organization(ctx, event.organization_id)
    elif ctx.product.billed == "user":
        holder = await by_user(ctx.db, event.user_id)
    if holder is not None:
        amount, expires = declared.on_sign_up, declared.expires
        await grant(ctx, holder.id, amount, fact="sign-up", expires_at=expires, reason="gift")


async def locked(ctx: Context, holder_id: UUID, *, facts: Sequence[str] = (), opens: bool) -> Book:
    """A holder's credits, locked until the unit ends; `opens` makes the account where there is none.

    Raises `HolderNotFound` when there is no such holder.
    """
    found = await find(ctx, holder_id, facts=facts)
    if found is None and opens:
        await queries.open_account(ctx.db, holder_id)
        found = await find(ctx, holder_id, facts=facts)
    if found is None:
        raise HolderNotFound
    return found


async def find(ctx: Context, holder_id: UUID, *, facts: Sequence[str] = ()) -> Book | None:
    """The same; None where nobody ever gave the holder credits."""
    if not await queries.lock(ctx.db, holder_id):
        return None
    return Book(await queries.stand(ctx.db, holder_id, facts))


async def write(ctx: Context, holder_id: UUID, book: Book) -> None:
    """Write what a book says, grants before the entries about them."""
    for one in book.added:
        await queries.add_grant(ctx.db, holder_id, one)
    if book.changed:
        await queries.change_grants(ctx.db, holder_id, book.changed)
    if book.entries:
        await queries.enter(ctx.db, holder_id, book.entries)


def _keep(book: Book, wanted: Kept) -> None:
    found, ends_at = book.by_fact(wanted.fact), wanted.expires_at
    if wanted.series is not None and wanted.begins_at is not None:
        _end(book, [one for one in book.of_series(wanted.series) if one.fact != wanted.fact], wanted.begins_at)
    if found is None and not wanted.amount:
        return
    if found is None:
        new = _new(wanted.fact, _fitting(wanted.amount), wanted.reason, None if ends_at is msgspec.UNSET else ends_at)
        found = book.add(msgspec.structs.replace(new, series=wanted.series, detail=dict(wanted.detail)))
    else:
        later = found.expires_at if ends_at is msgspec.UNSET else ends_at
        book.end([found], later)
        book.raise_to(book.now(found), wanted.amount)
    book.revoke(found, wanted.revoked)


def _end(book: Book, grants: list[Grant], at: datetime) -> None:
    book.end([one for one in grants if one.expires_at is None or one.expires_at > at], at)


def _new(fact: str, amount: int, reason: Reason, expires_at: datetime | None) -> Grant:
    return Grant(new_id(), fact, None, reason, amount, amount, 0, expires_at, {})


def _fitting(amount: int) -> int:
    if not 1 <= amount <= AMOUNT_MAX:
        msg = f"1 to {AMOUNT_MAX} credits are granted, not {amount}"
        raise ValueError(msg)
    return amount
