"""All SQL of mails."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, update

from ..database.statements import param, statement
from ..database.types import Whole
from ..database.units import Unit
from ..retention import expired
from ..sql import now
from .models import Mails


class Mail(msgspec.Struct, frozen=True):
    """A mail. In its row `text` and `html` are sealed (`Vault`, purposes "mail-text" and "mail-html", its id)."""

    id: UUID
    recipient: str
    subject: str
    text: str
    html: str | None
    status: str


class MailHead(msgspec.Struct, frozen=True):
    """A mail in a list: without what it says."""

    id: UUID
    recipient: str
    subject: str
    status: str
    created_at: datetime


_COLUMNS = (Mails.id, Mails.recipient, Mails.subject, Mails.text, Mails.html, Mails.status)
_NAMES = ("id", "actor_id", "recipient", "subject", "text", "html")
_add = statement(insert(Mails).values({name: param(name) for name in _NAMES}))
_by_id = statement(select(*_COLUMNS).where(Mails.id == param("id")), Mail)
_latest = statement(select(*_COLUMNS).order_by(Mails.id.desc()).limit(param("limit", Whole())), Mail)
_heads = statement(
    select(Mails.id, Mails.recipient, Mails.subject, Mails.status, Mails.created_at)
    .order_by(Mails.id.desc())
    .limit(param("limit", Whole())),
    MailHead,
)
_settle = statement(
    update(Mails).where(Mails.id == param("id"), Mails.status == "queued").values(status=param("status"), sent_at=now())
)
_drop = statement(delete(Mails).where(Mails.id == param("id")))
EXPIRED = expired(Mails.sent_at)


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


async def heads(db: Unit, limit: int = 50) -> list[MailHead]:
    """The newest mails first, without their texts."""
    return await db.rows(_heads, limit=limit)


async def settle(db: Unit, mail: UUID, status: str) -> None:
    """The mail was sent, or kept for the development mailbox."""
    await db.run(_settle, id=mail, status=status)


async def drop(db: Unit, mail: UUID) -> None:
    """Delete a mail that nobody is to get."""
    await db.run(_drop, id=mail)
