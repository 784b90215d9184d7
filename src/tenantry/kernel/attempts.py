"""Counting attempts: at a password, a code, a sign-in. In the database, so that all workers agree.

The rule: an attempt is counted and committed in a unit of its own *before* the secret is compared. Counted after it, a
crash or a rollback would give the guess away for nothing.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec
from sqlalchemy import Index, case, update
from sqlalchemy.dialects.postgresql import insert

from .context import Context
from .database.statements import param, statement
from .database.tables import Base, Touched, column, length_between
from .database.types import UtcDateTime, Whole, Words
from .policies import Policy
from .problems import Problem
from .retention import expired, forget
from .sql import now, plus

KEY_LENGTH_MAX = 300


class TooManyAttempts(Problem):
    """There were too many attempts in a short time. Wait a little and try again."""

    code, status = "request.too_many_attempts", 429


class Attempts(Touched, Base):
    """How often something was tried since its window began. Only the service login sees it."""

    __tablename__ = "attempts"
    __policy__ = Policy()

    key = column(Words(), primary_key=True)
    count = column(Whole())
    ends_at = column(UtcDateTime())

    __table_args__ = (length_between("key", 1, KEY_LENGTH_MAX), Index("ix_attempts_ends_at", "ends_at"))


class _Counted(msgspec.Struct, frozen=True):
    count: int
    ends_at: datetime


_ended = Attempts.ends_at <= now()
_ends = plus(now(), param("seconds", Whole()))
_count = statement(
    insert(Attempts)
    .values(key=param("key"), count=1, ends_at=_ends)
    .on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": case((_ended, 1), else_=Attempts.count + 1),
            "ends_at": case((_ended, _ends), else_=Attempts.ends_at),
        },
    )
    .returning(Attempts.count, Attempts.ends_at),
    _Counted,
)

_give_back = statement(
    update(Attempts).where(Attempts.key == param("key"), Attempts.count > 0).values(count=Attempts.count - 1)
)
EXPIRED = expired(Attempts.ends_at)


def network(address: str | None) -> str:
    """What an address is counted as: itself, for IPv6 the /64 one caller has to itself, "" when it is not known.

    An IPv4 address in IPv6's clothes (a socket that listens on both) is itself: in one /64 stand all of them.
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


async def attempt(ctx: Context, key: str, *, most: int, within: timedelta) -> int:
    """Count one attempt at `key` and commit it; answers how many there were. `ctx` must have no open unit.

    Raises `TooManyAttempts` (429 with Retry-After) from the `most + 1`th on, until `within` has passed since the first.
    """
    async with ctx.service(single=True) as working:
        counted = await working.db.one(_count, key=_fitting(key), seconds=int(within.total_seconds()))
    if counted.count > most:
        wait = max(1, int((counted.ends_at - ctx.clock.now()).total_seconds()) + 1)
        raise TooManyAttempts(headers={"Retry-After": str(wait)})
    return counted.count


async def give_back(ctx: Context, key: str) -> None:
    """Take one counted attempt back, because it turned out right; `ctx` has no open unit.

    Only its own: were the whole count cleared, whoever knows one right password could guess at others for ever.
    """
    async with ctx.service(single=True) as working:
        await working.db.run(_give_back, key=_fitting(key))


def _fitting(key: str) -> str:
    # Cut off, two long keys could share one count.
    return key if len(key) <= KEY_LENGTH_MAX else sha256(key.encode()).hexdigest()


async def forget_attempts(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete windows that have ended."""
    await forget(ctx, EXPIRED, before=ctx.clock.now())
