"""A table page by page, newest first: each page begins at a row of the page before, and rows are never counted.

Filters that nobody asked for are left out of the statement: a condition that may be empty would keep its index unused.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, and_, tuple_

from .database.statements import Statement, param, statement
from .database.types import Id, UtcDateTime, Whole
from .database.units import Unit
from .problems import Invalid
from .spreadsheets import utc_text

Row = TypeVar("Row")
CURSOR_CHARACTERS_MAX = 80


class Place(msgspec.Struct, frozen=True):
    """The row that a page begins after: going down to what is older, or up to what is newer."""

    id: UUID
    at: datetime | None = None
    goes_up: bool = False

    @classmethod
    def of(cls, before: str | None = None, after: str | None = None, *, field: str = "query.cursor") -> Self | None:
        """What a cursor of ours names; None without one. Raises `Invalid` for anything else."""
        text = before or after
        if not text:
            return None
        time, _, name = text.rpartition("_")
        try:
            # Without a zone it would be taken for the machine's own.
            at = datetime.fromisoformat(time.removesuffix("Z") + "+00:00") if time else None
            return cls(UUID(name), at, goes_up=not before)
        except (ValueError, OverflowError):
            told = {"field": field, "message": "This is no cursor of ours.", "code": "cursor"}
            raise Invalid(errors=[told]) from None


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows, newest first, and the cursors of the pages beside: "" where there is none."""

    rows: Sequence[Row]
    newer: str = ""
    older: str = ""


class Listing(Generic[Row]):
    """What is listed: a selection and the row it is read into, ordered by its id, or by a time and the id.

    `filters` are conditions by name; each takes a parameter of its own name, or those that it is asked with.
    """

    def __init__(
        self,
        selected: Select[Any],
        as_: type[Row],
        *,
        id: Any,  # noqa: A002 - the column of that name
        at: Any = None,
        filters: Mapping[str, ColumnElement[bool]],
    ) -> None:
        self._selected, self._as, self._id, self._at = selected, as_, id, at
        self._filters = dict(filters)
        self._statements: dict[tuple[frozenset[str], bool | None], Statement[Row]] = {}

    async def page(self, db: Unit, place: Place | None = None, *, limit: int, **wanted: Any) -> Page[Row]:
        """A page of those that every filter lets through which is given something other than None.

        Raises `Invalid` for a place of another list.
        """
        asked = {name: value for name, value in wanted.items() if value is not None}
        given: dict[str, Any] = {"limit": limit + 1}
        for name, value in asked.items():
            given |= value if isinstance(value, Mapping) else {name: value}
        if place is not None:
            if (place.at is None) != (self._at is None):
                Place.of("another list's")
            given |= {"place_id": place.id} | ({} if place.at is None else {"place_at": place.at})
        goes_up = None if place is None else place.goes_up
        found = await db.rows(self.statement(frozenset(asked), goes_up=goes_up), **given)
        has_more, shown = len(found) > limit, found[:limit]
        if not shown:
            # Above the first row there is nothing: that is the first page.
            return await self.page(db, limit=limit, **wanted) if goes_up else Page([])
        if goes_up:
            return Page(shown[::-1], self._cursor(shown[-1]) if has_more else "", self._cursor(shown[0]))
        return Page(shown, self._cursor(shown[0]) if place else "", self._cursor(shown[-1]) if has_more else "")

    def statement(self, asked: frozenset[str], *, goes_up: bool | None) -> Statement[Row]:
        """The statement for these filters; `goes_up` is None for the first page."""
        key = (asked, goes_up)
        if key not in self._statements:
            order = (self._id,) if self._at is None else (self._at, self._id)
            chosen = self._selected.where(*(self._filters[name] for name in sorted(asked)))
            if goes_up is not None:
                chosen = chosen.where(self._beyond(goes_up=goes_up))
            chosen = chosen.order_by(*(one.asc() if goes_up else one.desc() for one in order))
            self._statements[key] = statement(chosen.limit(param("limit", Whole())), self._as)
        return self._statements[key]

    def _beyond(self, *, goes_up: bool) -> ColumnElement[bool]:
        if self._at is None:
            place_id = param("place_id", Id())
            return self._id > place_id if goes_up else self._id < place_id  # type: ignore[no-any-return]
        place = tuple_(param("place_at", UtcDateTime()), param("place_id", Id()))
        row = tuple_(self._at, self._id)
        # The same twice, for the planner of SQLite, which goes no further than the time in the index.
        if goes_up:
            return and_(self._at >= param("place_at", UtcDateTime()), row > place)
        return and_(self._at <= param("place_at", UtcDateTime()), row < place)

    def _cursor(self, row: Any) -> str:
        return str(row.id) if self._at is None else f"{utc_text(getattr(row, self._at.key))}_{row.id}"
