"""Who was told how far a window is used, and where they are written to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel.database import Unit, param, statement
from tenantry.kernel.database.types import Whole
from tenantry.kernel.sql import entries, member, now

from ..models import UsageCounters, UsageNotices

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

# An address that nobody has confirmed may be a stranger's.
_address = statement(
    select(Users.email)
    .join(Holders, Holders.user_id == Users.id)
    .where(Holders.id == param("holder"), Users.email_verified_at.is_not(None), Users.deleted_at.is_(None))
)


async def tell(db: Unit, holder_id: UUID, meter: str, *, window_start: datetime, percents: Sequence[int]) -> list[int]:
    """Write down that the holder is told of these percents; answers those that nobody had been told of before."""
    asked = [{"percent": percent} for percent in percents]
    return await db.rows(_tell, holder=holder_id, meter=meter, window=window_start, percents=asked)


async def address(db: Unit, holder_id: UUID) -> str | None:
    """Where the holder's person is written to; None without a person, or an address that is known to be theirs."""
    found: str | None = await db.one_or_none(_address, holder=holder_id)
    return found
