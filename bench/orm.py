"""The notes as an ordinary SQLAlchemy program would keep and read them: the library's own types, a session a read."""

from typing import Any

from sqlalchemy import JSON, DateTime, Engine, Index, Text, Uuid, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench import world


class Plain(DeclarativeBase):
    """Not our base: its tables are no tables of ours."""


class PlainNotes(Plain):
    """The columns of `world.Notes`."""

    __tablename__ = "bench_plain_notes"

    id: Mapped[Any] = mapped_column(Uuid(), primary_key=True)
    user_id: Mapped[Any] = mapped_column(Uuid(), nullable=False)
    title: Mapped[Any] = mapped_column(Text(), nullable=False)
    body: Mapped[Any] = mapped_column(Text(), nullable=False)
    details: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"), nullable=False)
    created_at: Mapped[Any] = mapped_column(DateTime(timezone=True), nullable=False)

    __table_args__ = (Index("ix_bench_plain_notes_newest", "user_id", "created_at"),)


def one(n: int) -> Any:
    """A user's first note, by its id."""
    return select(PlainNotes).where(PlainNotes.user_id == world.person(n), PlainNotes.id == world.note_of(n))


def newest(n: int) -> Any:
    """A user's notes, the newest first."""
    mine = select(PlainNotes).where(PlainNotes.user_id == world.person(n))
    return mine.order_by(PlainNotes.created_at.desc()).limit(world.NOTES_EACH)


def fill(engine: Engine, people: int) -> None:
    """Make the table and everybody's notes."""
    with engine.begin() as connection:
        _fill(connection, people)


async def fill_async(engine: AsyncEngine, people: int) -> None:
    """The same through an asynchronous engine."""
    async with engine.begin() as connection:
        await connection.run_sync(_fill, people)


def _fill(connection: Any, people: int) -> None:
    Plain.metadata.create_all(connection)
    names = [column.name for column in PlainNotes.__table__.columns]
    rows = [dict(zip(names, row, strict=True)) for row in world.notes(people)]
    connection.execute(insert(PlainNotes), rows)
