"""What credits' statements give, and what its doors answer."""

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

Reason: TypeAlias = Literal["payment", "period", "admin", "gift", "other"]
Kind: TypeAlias = Literal["grant", "spend", "expire", "revoke", "set"]


class Grant(msgspec.Struct, frozen=True):
    """Units given for a fact, and what is left of them. `revoked`: how many were asked back."""

    id: UUID
    fact: str
    series: str | None
    reason: Reason
    amount: int
    remaining: int
    revoked: int
    expires_at: datetime | None
    detail: dict[str, Any]


class Entry(msgspec.Struct, frozen=True):
    """One change of the balance; `number` counts a holder's from 1. `label` of a grant's is the grant's reason."""

    number: int
    kind: Kind
    amount: int
    balance_after: int
    grant_id: UUID | None
    reference: str | None
    label: str | None
    parts: dict[str, int]
    created_at: datetime | None = None


class Reservation(msgspec.Struct, frozen=True):
    """Units set aside. Once it is settled: `used` is what the work cost, `settled` what of it was there to be taken."""

    id: UUID
    holder_id: UUID
    amount: int
    used: int | None
    settled: int | None
    status: Literal["held", "settled", "released", "expired"]
    label: str | None
    expires_at: datetime

    @property
    def missing(self) -> int:
        """What the work cost beyond what was there; 0 for nearly all."""
        return (self.used or 0) - (self.settled or 0)


class Spent(msgspec.Struct, frozen=True):
    """What was spent, and the balance after it; `number` is that of the entry."""

    number: int
    amount: int
    balance: int
    reference: str | None


class Balance(msgspec.Struct, frozen=True):
    """What a holder has: `balance` in all, `reserved` of it for work under way, `available` to be spent.

    `next_expiry`: when the next of it expires, and `expiring`, how much then; None and 0: nothing does.
    """

    balance: int
    reserved: int
    next_expiry: datetime | None
    expiring: int

    @property
    def available(self) -> int:
        return self.balance - self.reserved


class Stand(msgspec.Struct, frozen=True):
    """How a locked account stands, by the database's time `at`. `grants`: those not used up, and a named one."""

    at: datetime
    number: int
    reserved: int
    grants: tuple[Grant, ...]
