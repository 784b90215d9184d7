"""What PostgreSQL's figures mean: tables that are read whole, indexes that nobody uses, rows that are dead."""

from collections.abc import Iterator, Sequence

from tenantry.kernel.database.looking_postgres import IndexFigures, ServerState, TableFigures
from tenantry.product import Finding

ROWS_MANY = 10_000
READS_MANY = 100
DEAD_SHARE = 0.2
UNUSED_BYTES = 10 * 1024 * 1024


def find_in_figures(
    state: ServerState, tables: Sequence[TableFigures], indexes: Sequence[IndexFigures]
) -> Iterator[Finding]:
    """Warnings, for figures only hint: what was counted since the statistics began."""
    if not state.autovacuum:
        problem = "autovacuum is off: dead rows stay, and nobody analyzes the tables."
        yield Finding("warning", "database", problem, "Set autovacuum = on in postgresql.conf.")
    for table in tables:
        yield from _of_table(table)
    for index in indexes:
        if not index.scans and not index.is_unique and index.bytes >= UNUSED_BYTES:
            problem = f"The index {index.index} takes {index.bytes // 1024 // 1024} MiB and was never read."
            fix = "It may serve a foreign key or a job that seldom runs; watch it before you think of dropping it."
            yield Finding("warning", f"database.{index.table}", problem, fix)


def _of_table(table: TableFigures) -> Iterator[Finding]:
    place = f"database.{table.table}"
    if table.rows < ROWS_MANY and table.dead_rows < ROWS_MANY:
        return
    if table.dead_rows >= ROWS_MANY and table.dead_rows > DEAD_SHARE * (table.rows + table.dead_rows):
        problem = f"{table.dead_rows} dead rows lie beside about {table.rows} live ones."
        fix = f"Run as the owner: VACUUM (ANALYZE) {table.table}; then see why autovacuum does not keep up."
        yield Finding("warning", place, problem, fix)
    if table.analyzed_at is None:
        problem = f"It has about {table.rows} rows and was not analyzed since the statistics began."
        yield Finding("warning", place, problem, f"Run as the owner: ANALYZE {table.table}")
    if table.whole_reads >= READS_MANY and table.whole_reads > table.index_reads:
        problem = f"It has about {table.rows} rows and was read whole {table.whole_reads} times, by an index "
        problem += f"{table.index_reads} times."
        fix = "A statement lacks an index: look for it among the slowest, and ask EXPLAIN."
        yield Finding("warning", place, problem, fix)
