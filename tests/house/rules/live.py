"""What a database says its schema is: one line per thing, so that two databases can be compared and differences read.

`schema_of(url)` answers `{"users.email column": "text NOT NULL", "users_touch trigger": "...", ...}`.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import asyncpg

from tenantry.kernel.database.migrating import sqlite_path
from tenantry.kernel.database.postgres import plain_url

Schema = dict[str, str]

# Each answers (name, what it is); the version table belongs to Alembic.
_POSTGRES = {
    "column": """
        SELECT c.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
               CASE WHEN a.attnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid))
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relkind = 'r' AND {public}""",
    "constraint": """
        SELECT c.relname || '.' || o.conname, pg_get_constraintdef(o.oid)
        FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid WHERE {public}""",
    "index": """
        SELECT i.relname, pg_get_indexdef(i.oid)
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid WHERE {public}""",
    "trigger": """
        SELECT t.tgname, pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND {public}""",
    "policy": """
        SELECT p.tablename || '.' || p.policyname, concat_ws(' ', p.permissive, p.cmd, p.roles, p.qual, p.with_check)
        FROM pg_policies p JOIN pg_class c ON c.relname = p.tablename WHERE {public}""",
    "security": """
        SELECT c.relname, concat('enabled ', c.relrowsecurity, ', forced ', c.relforcerowsecurity)
        FROM pg_class c WHERE c.relkind = 'r' AND {public}""",
    "grant": """
        SELECT c.relname, array(SELECT unnest(c.relacl)::text ORDER BY 1)::text
        FROM pg_class c WHERE c.relkind = 'r' AND {public}""",
    "column grant": """
        SELECT c.relname || '.' || a.attname, array(SELECT unnest(a.attacl)::text ORDER BY 1)::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attacl IS NOT NULL AND {public}""",
    "function": """
        SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '')
        FROM pg_proc p WHERE p.pronamespace IN (to_regnamespace('tenantry'), to_regnamespace('auth'))""",
    "schema": "SELECT n.nspname, n.nspacl::text FROM pg_namespace n WHERE n.nspname IN ('tenantry', 'public')",
    "type": """
        SELECT t.typname, t.typtype::text FROM pg_type t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typrelid = 0 AND t.typelem = 0""",
}
_PUBLIC = "c.relnamespace = 'public'::regnamespace AND c.relname <> 'tenantry_schema'"


async def schema_of(url: str) -> Schema:
    """Everything in the database at `url` but rows and Alembic's own table."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url))) as connection:
            return dict(_sqlite(connection))
    connection = await asyncpg.connect(plain_url(url))
    try:
        found: Schema = {}
        for kind, query in _POSTGRES.items():
            for name, text in await connection.fetch(query.replace("{public}", _PUBLIC)):
                found[f"{name} {kind}"] = _spaced(text or "")
        return found
    finally:
        await connection.close()


def differences(one: Schema, other: Schema) -> list[str]:
    """What only one of them has, or both have differently."""
    return [
        f"{name}: {one.get(name, 'absent')} <> {other.get(name, 'absent')}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def lost(before: Schema, after: Schema) -> list[str]:
    """Triggers, CHECKs, keys and indexes that a migration took from tables it left standing."""
    tables = {name.partition(".")[0] for name in after if name.endswith(" column")}
    return [
        name
        for name, text in before.items()
        if name not in after and not name.endswith(" column") and _table_of(name, text) in tables
    ]


def _table_of(name: str, text: str) -> str:
    on = re.search(r"\bON (?:public\.)?(\w+)", text) if name.endswith((" trigger", " index")) else None
    return on[1] if on else name.partition(" ")[0].partition(".")[0]


def _sqlite(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        if kind in {"trigger", "index"}:
            yield f"{name} {kind}", _spaced(sql)
        elif name != "tenantry_schema" and not name.startswith("sqlite_"):
            yield f"{name} table", sql.rpartition(")")[2].strip()
            yield from _sqlite_table(connection, name, _spaced(sql))


def _sqlite_table(connection: sqlite3.Connection, table: str, sql: str) -> Iterator[tuple[str, str]]:
    columns = f"""SELECT name, printf('%s %s %s key %s', type, iif("notnull", 'NOT NULL', ''), dflt_value, pk)
                  FROM pragma_table_xinfo('{table}')"""
    for name, text in connection.execute(columns):
        yield f"{table}.{name} column", text
    for name, text in _constraints(sql):
        yield f"{table}.{name} constraint", text


def _constraints(sql: str) -> Iterator[tuple[str, str]]:
    """The named constraints in the text of CREATE TABLE, each up to the comma or bracket that ends it."""
    for found in re.finditer(r"CONSTRAINT (\w+) ", sql):
        depth, text = 0, ""
        for character in sql[found.end() :]:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth < 0 or (depth == 0 and character == ","):
                break
            text += character
        yield found[1], text.strip()


def _spaced(text: str) -> str:
    return " ".join(text.split())
