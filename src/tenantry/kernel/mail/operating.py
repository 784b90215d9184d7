"""What operators see of mails: to whom, about what, and whether they went out; never what they say."""

from datetime import timedelta

import msgspec
from sqlalchemy import func, select

from ..database.statements import param, statement
from ..database.types import Whole
from ..database.units import Unit
from ..jobs.operating import Attempted, attempted
from ..listing import Listing, Page, Place
from ..sql import folded, now, plus
from .delivery import once_key_of
from .models import Mails
from .queries import MailHead

STATUSES = ("queued", "sent", "kept")
LATE = timedelta(minutes=10)
"""A mail that has waited for so long is undelivered: somebody should look."""


class SeenMail(msgspec.Struct, frozen=True):
    """A mail, and how its delivery went: `attempts` None where nothing tells any more."""

    mail: MailHead
    attempts: int | None
    is_dead: bool
    last_error: str | None


MAILS = Listing(
    select(Mails.id, Mails.recipient, Mails.subject, Mails.status, Mails.created_at),
    MailHead,
    id=Mails.id,
    filters={
        "status": Mails.status == param("status"),
        "recipient": folded(Mails.recipient) == folded(param("recipient")),
    },
)
_late = statement(
    select(func.count())
    .select_from(Mails)
    .where(Mails.status == "queued", Mails.created_at < plus(now(), param("seconds", Whole())))
)


async def page(
    db: Unit, place: Place | None, *, limit: int, status: str | None = None, recipient: str | None = None
) -> Page[SeenMail]:
    """Mails, newest first, with the jobs that deliver them. In an open service unit."""
    found = await MAILS.page(db, place, limit=limit, status=status, recipient=recipient)
    jobs = await attempted(db, [once_key_of(one.id) for one in found.rows])
    return Page([_seen(one, jobs.get(once_key_of(one.id))) for one in found.rows], found.newer, found.older)


async def late(db: Unit) -> int:
    """How many mails have waited longer than `LATE`."""
    found: int = await db.one(_late, seconds=-int(LATE.total_seconds()))
    return found


def _seen(mail: MailHead, job: Attempted | None) -> SeenMail:
    if job is None:
        return SeenMail(mail, None, is_dead=False, last_error=None)
    return SeenMail(mail, job.attempts, is_dead=job.status == "dead", last_error=job.last_error)


__all__ = ["LATE", "MAILS", "STATUSES", "SeenMail", "late", "page"]
