"""What a PostgreSQL database says about itself: its schema and its statistics. Every function only reads."""

import re
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from .expected import Thing
from .revision import VERSION_TABLE

STATEMENTS_SHOWN = 10
STATEMENT_CHARACTERS = 300
HIDDEN = "<insufficient privilege>"


class TableFigures(msgspec.Struct, frozen=True):
    """One table with its partitions and all that was counted since `stats_reset`. `rows` is the server's estimate."""

    table: str
    rows: int
    dead_rows: int
    table_bytes: int
    index_bytes: int
    whole_reads: int
    index_reads: int
    rows_read_whole: int
    rows_read_by_index: int
    vacuumed_at: datetime | None
    analyzed_at: datetime | None


class IndexFigures(msgspec.Struct, frozen=True):
    """One index with those of the partitions. `is_unique`: it holds a rule, used or not."""

    index: str
    table: str
    scans: int
    entries_read: int
    rows_fetched: int
    bytes: int
    is_unique: bool


class StatementFigures(msgspec.Struct, frozen=True):
    """One kind of statement; its values are placeholders."""

    mean_ms: float
    calls: int
    max_ms: float
    total_ms: float
    rows: int
    statement: str


class ServerState(msgspec.Struct, frozen=True):
    """The server and this database. `stats_reset`: since when it counts; None: since it was made.

    `database_bytes`: None where the login may not know.
    """

    version: str
    autovacuum: bool
    database_bytes: int | None
    stats_reset: datetime | None


class NotCollected(Exception):
    """The server keeps no figures of statements; the text says what is missing: "library" or "extension"."""


_OURS = "n.nspname = 'public' AND c.relkind IN ('r', 'p')"
_PRESENT = f"""
WITH c AS (SELECT c.* , c.oid AS id FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS})
SELECT 'table', relname::text, relname::text FROM c
UNION ALL SELECT 'column', c.relname, a.attname FROM c JOIN pg_attribute a ON a.attrelid = c.id
  AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'constraint', c.relname, o.conname FROM c JOIN pg_constraint o ON o.conrelid = c.id AND o.convalidated
UNION ALL SELECT 'index', c.relname, i.relname FROM c JOIN pg_index x ON x.indrelid = c.id AND x.indisvalid
  JOIN pg_class i ON i.oid = x.indexrelid
UNION ALL SELECT 'trigger', c.relname, t.tgname FROM c JOIN pg_trigger t ON t.tgrelid = c.id
  AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
UNION ALL SELECT 'policy', c.relname, p.polname FROM c JOIN pg_policy p ON p.polrelid = c.id
UNION ALL SELECT 'row security', relname, relname FROM c WHERE relrowsecurity AND relforcerowsecurity"""  # noqa: S608

_TABLES = """
SELECT coalesce(p.relname, c.relname)::text AS "table",
       sum(CASE WHEN s.n_live_tup > 0 THEN s.n_live_tup ELSE greatest(c.reltuples, 0)::bigint END)::bigint AS rows,
       sum(s.n_dead_tup)::bigint AS dead_rows,
       sum(pg_table_size(c.oid))::bigint AS table_bytes, sum(pg_indexes_size(c.oid))::bigint AS index_bytes,
       sum(coalesce(s.seq_scan, 0))::bigint AS whole_reads, sum(coalesce(s.idx_scan, 0))::bigint AS index_reads,
       sum(coalesce(s.seq_tup_read, 0))::bigint AS rows_read_whole,
       sum(coalesce(s.idx_tup_fetch, 0))::bigint AS rows_read_by_index,
       max(greatest(s.last_vacuum, s.last_autovacuum)) AS vacuumed_at,
       max(greatest(s.last_analyze, s.last_autoanalyze)) AS analyzed_at
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
LEFT JOIN pg_inherits h ON h.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = h.inhparent
WHERE s.schemaname IN ('public', 'tenantry') AND s.relname <> $1
GROUP BY 1 ORDER BY sum(pg_total_relation_size(c.oid)) DESC, 1"""

_INDEXES = """
SELECT coalesce(p.relname, i.relname)::text AS "index", coalesce(pt.relname, s.relname)::text AS "table",
       sum(coalesce(s.idx_scan, 0))::bigint AS scans, sum(coalesce(s.idx_tup_read, 0))::bigint AS entries_read,
       sum(coalesce(s.idx_tup_fetch, 0))::bigint AS rows_fetched, sum(pg_relation_size(i.oid))::bigint AS bytes,
       bool_or(x.indisunique) AS is_unique
FROM pg_stat_user_indexes s JOIN pg_class i ON i.oid = s.indexrelid JOIN pg_index x ON x.indexrelid = i.oid
LEFT JOIN pg_inherits h ON h.inhrelid = i.oid LEFT JOIN pg_class p ON p.oid = h.inhparent
LEFT JOIN pg_inherits ht ON ht.inhrelid = s.relid LEFT JOIN pg_class pt ON pt.oid = ht.inhparent
WHERE s.schemaname IN ('public', 'tenantry') AND s.relname <> $1
GROUP BY 1, 2 ORDER BY sum(pg_relation_size(i.oid)) DESC, 1"""

_SERVER = """
SELECT current_setting('server_version') AS version, current_setting('autovacuum')::bool AS autovacuum,
       CASE WHEN has_database_privilege(current_database(), 'CONNECT') THEN pg_database_size(current_database()) END
         AS database_bytes,
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS stats_reset"""

_EXTENSION = """
SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'"""

# Only what works on rows: the server keeps other statements as they were written, a password in them too.
_STATEMENTS = """
SELECT mean_exec_time AS mean_ms, calls, max_exec_time AS max_ms, total_exec_time AS total_ms, rows, query AS statement
FROM {schema}.pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (query ~* '^\\s*(with|select|insert|update|delete|merge)\\M' OR query = $1)
ORDER BY mean_exec_time DESC LIMIT $2"""

_LITERAL = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)


async def present(connection: Any) -> set[Thing]:
    """Everything that `expected` names and this database has, in force: valid, enabled, forced."""
    return {Thing(*row) for row in await connection.fetch(_PRESENT)}


async def revisions(connection: Any) -> frozenset[str]:
    """The revisions the database is at; none when it was never migrated."""
    if await connection.fetchval("SELECT to_regclass($1)", f"public.{VERSION_TABLE}") is None:
        return frozenset()
    rows = await connection.fetch(f"SELECT version_num FROM public.{VERSION_TABLE}")  # noqa: S608 - a constant
    return frozenset(row[0] for row in rows)


async def server_state(connection: Any) -> ServerState:
    """The server's version and what it says of the whole database."""
    return ServerState(**await connection.fetchrow(_SERVER))


async def table_figures(connection: Any) -> list[TableFigures]:
    """Every table, the largest first."""
    return [TableFigures(**row) for row in await connection.fetch(_TABLES, VERSION_TABLE)]


async def index_figures(connection: Any) -> list[IndexFigures]:
    """Every index, the largest first."""
    return [IndexFigures(**row) for row in await connection.fetch(_INDEXES, VERSION_TABLE)]


async def slowest_statements(connection: Any) -> list[StatementFigures]:
    """The ten kinds of statement with the highest mean time; raises `NotCollected` where nobody counts them.

    The text is `HIDDEN` for those of other logins, unless this one may read all statistics.
    """
    schema = await connection.fetchval(_EXTENSION)
    if schema is None:
        raise NotCollected("extension")
    try:
        rows = await connection.fetch(_STATEMENTS.replace("{schema}", schema), HIDDEN, STATEMENTS_SHOWN)
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        raise NotCollected("library") from error
    return [StatementFigures(**{**row, "statement": _shown(row["statement"])}) for row in map(dict, rows)]


def _shown(query: str) -> str:
    """In one line and without a literal, though the server has put placeholders for them."""
    text = " ".join(_LITERAL.sub("'...'", query).split())
    return text if len(text) <= STATEMENT_CHARACTERS else f"{text[:STATEMENT_CHARACTERS]}..."
