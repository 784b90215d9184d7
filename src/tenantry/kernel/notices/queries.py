"""All SQL of notices."""

from uuid import UUID

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.orm import aliased

from ..database.statements import param, statement
from ..database.types import Whole, Words
from ..retention import expired
from ..sql import notify
from .models import StoredNotices

CHANNEL = "tenantry"
"""PostgreSQL's name for where notices are told; a channel belongs to one database."""


class Notice(msgspec.Struct, frozen=True):
    """A notice as a file keeps it."""

    id: int
    topic: str
    subject_id: UUID


SEND = statement(select(notify(CHANNEL, param("payload", Words())).label("sent")))
STORE = statement(insert(StoredNotices).values(topic=param("topic"), subject_id=param("subject_id")))

_rows = select(StoredNotices.id, StoredNotices.topic, StoredNotices.subject_id)
SINCE = statement(
    _rows.where(StoredNotices.id >= param("known")).order_by(StoredNotices.id).limit(param("limit", Whole())),
    Notice,
)
NEWEST = statement(_rows.order_by(StoredNotices.id.desc()).limit(1), Notice)

_other = aliased(StoredNotices)
# Without the newest row the next one would get the first id again.
EXPIRED = expired(StoredNotices.created_at, StoredNotices.id < select(func.max(_other.id)).scalar_subquery())
