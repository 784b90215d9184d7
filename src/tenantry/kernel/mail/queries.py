"""All SQL of mails."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, update

from ..database.statements import param, statement
from ..database.types import UtcDateTime, Whole
from ..database.units import Unit
from ..sql import now
from .models import Mails


class Mail(msgspec.Struct, frozen=True):
    """A mail as it is sent."""

    id: UUID
    recipient: str
    subject: str
    text: str
    html: str | None
    status: str


_COLUMNS = (Mails.id, Mails.recipient, Mails.subject, Mails.text, Mails.html, Mails.status)
_NAMES = ("id", "actor_id", "recipient", "subject", "text", "html")
_add = statement(insert(Mails).values({name: param(name) for name in _NAMES}))
_by_id = statement(select(*_COLUMNS).where(Mails.id == param("id")), Mail)
_latest = statement(select(*_COLUMNS).order_by(Mails.id.desc()).limit(param("limit", Whole())), Mail)
_settle = statement(
    update(Mails).where(Mails.id == param("id"), Mails.status == "queued").values(status=param("status"), sent_at=now())
)
_forget = statement(
    delete(Mails).where(
        Mails.id.in_(
            select(Mails.id).where(Mails.sent_at < param("before", UtcDateTime())).order_by(Mails.sent_at).limit(1000)
        )
    )
)


async def add(db: Unit, mail: Mail, actor_id: UUID | None) -> None:
    """Write a mail to be sent."""
    await db.run(
        _add,
        id=mail.id,
        actor_id=actor_id,
        recipient=mail.recipient,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
    )


async def by_id(db: Unit, mail: UUID) -> Mail | None:
    return await db.one_or_none(_by_id, id=mail)


async def latest(db: Unit, limit: int = 50) -> list[Mail]:
    """The newest mails first."""
    return await db.rows(_latest, limit=limit)


async def settle(db: Unit, mail: UUID, status: str) -> None:
    """The mail was sent, or kept for the development mailbox."""
    await db.run(_settle, id=mail, status=status)


async def forget(db: Unit, *, before: datetime) -> int:
    """Delete up to 1000 mails that were sent, or kept for the mailbox, before a time."""
    return await db.run(_forget, before=before)
