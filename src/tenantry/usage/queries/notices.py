"""Who was told how far a window is used, and where they are written to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Whole
from tenantry.kernel.sql import entries, member, now
from tenantry.organizations.answering import answering
from tenantry.organizations.models import Organizations

from ..models import UsageCounters, UsageNotices


class Reader(msgspec.Struct, frozen=True):
    """Who is written to, and about which organization; None, about what is their own."""

    email: str
    organization: str | None


_KEY = ("holder_id", "meter", "window_start")

# In the order of the key, so that two processes never wait for each other in a circle. A window that is over is told
# to nobody, and one that is gone cannot be.
_entry = entries("percents").rows()
_tell = statement(
    insert(UsageNotices)
    .from_select(
        [*_KEY, "percent"],
        select(
            UsageCounters.holder_id,
            UsageCounters.meter,
            UsageCounters.window_start,
            member(_entry.c.value, "percent", Whole()).label("percent"),
        )
        .select_from(UsageCounters, _entry)
        .where(
            UsageCounters.holder_id == param("holder"),
            UsageCounters.meter == param("meter"),
            UsageCounters.window_start == param("window"),
            UsageCounters.window_end > now(),
        )
        .order_by(member(_entry.c.value, "percent", Whole())),
    )
    .on_conflict_do_nothing(index_elements=[*_KEY, "percent"])
    .returning(UsageNotices.percent)
)

_was_told = exists().where(
    UsageNotices.holder_id == Holders.id,
    UsageNotices.meter == param("meter"),
    UsageNotices.window_start == param("window"),
    UsageNotices.percent == param("percent"),
)
_readers = statement(
    answering(select(Users.email, Organizations.name.label("organization")).select_from(Holders))
    .where(Holders.id == param("holder"), ~_was_told)
    .order_by(Users.email),
    Reader,
)


async def tell(db: Unit, holder_id: UUID, meter: str, *, window_start: datetime, percents: Sequence[int]) -> list[int]:
    """Write down that the holder is told of these percents; answers those that nobody had been told of before."""
    asked = [{"percent": percent} for percent in percents]
    return await db.rows(_tell, holder=holder_id, meter=meter, window=window_start, percents=asked)


async def readers(db: Unit, holder_id: UUID, meter: str, *, window_start: datetime, percent: int) -> list[Reader]:
    """Who is to be written to about a holder: its person, or its organization's owner and admins.

    None without an address, nor once this percent of the window was told.
    """
    return await db.rows(_readers, holder=holder_id, meter=meter, window=window_start, percent=percent)
