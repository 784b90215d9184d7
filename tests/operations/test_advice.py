"""What PostgreSQL's figures mean, at the borders of each."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tenantry.kernel.database.looking_postgres import IndexFigures, ServerState, TableFigures
from tenantry.operations.advice import find_in_figures

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SERVER = ServerState("15.18", autovacuum=True, database_bytes=None, stats_reset=None)
TABLE = TableFigures(
    table="notes", rows=20_000, dead_rows=0, table_bytes=1, index_bytes=1, whole_reads=0, index_reads=0,
    rows_read_whole=0, rows_read_by_index=0, vacuumed_at=NOW, analyzed_at=NOW,
)  # fmt: skip
INDEX = IndexFigures(
    index="ix_notes_title", table="notes", scans=0, entries_read=0, rows_fetched=0, bytes=10 * 1024 * 1024,
    is_unique=False,
)  # fmt: skip


def problems(
    *, server: ServerState = SERVER, table: TableFigures = TABLE, index: IndexFigures | None = None
) -> list[str]:
    found = list(find_in_figures(server, [table], [index] if index else []))
    assert all(one.level == "warning" and one.fix for one in found)
    return [one.problem for one in found]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"rows": 40_000, "dead_rows": 10_000}, ""),
        ({"rows": 39_999, "dead_rows": 10_000}, "10000 dead rows lie beside about 39999 live ones."),
        ({"rows": 1, "dead_rows": 9_999}, ""),
        ({"rows": 0, "dead_rows": 10_000}, "10000 dead rows"),
        ({"analyzed_at": None}, "was not analyzed"),
        ({"analyzed_at": None, "rows": 9_999}, ""),
        ({"whole_reads": 99}, ""),
        ({"whole_reads": 100, "index_reads": 100}, ""),
        ({"whole_reads": 101, "index_reads": 100}, "was read whole 101 times, by an index 100 times"),
        ({"whole_reads": 101, "rows": 9_999}, ""),
    ],
)
def test_a_table_is_told_of_when_it_is_large_and_something_is_amiss(changed: dict[str, Any], told: str) -> None:
    found = problems(table=msgspec.structs.replace(TABLE, **changed))
    assert len(found) == (1 if told else 0)
    assert told in "".join(found)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "The index ix_notes_title takes 10 MiB and was never read."),
        ({"bytes": 10 * 1024 * 1024 - 1}, ""),
        ({"scans": 1}, ""),
        ({"is_unique": True}, ""),
    ],
)
def test_an_index_is_told_of_when_it_is_large_and_nobody_reads_it(changed: dict[str, Any], told: str) -> None:
    assert problems(index=msgspec.structs.replace(INDEX, **changed)) == ([told] if told else [])


def test_a_server_that_does_not_tidy_is_told_of() -> None:
    assert "autovacuum is off" in problems(server=msgspec.structs.replace(SERVER, autovacuum=False))[0]
