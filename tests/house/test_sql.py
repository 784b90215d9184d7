"""SQL stands in queries.py and means the same on both databases."""

import pytest

from house.rules import sql
from house.rules.tree import package, plant, sources, unexcused

OWN_STATEMENTS = {
    "app/lifespan.py": "reads the version of the schema, a table that belongs to Alembic and to no room",
}
RAW = {
    "testing/databases.py": "freezes the clock of the database and empties it, as the owner, between tests",
}
AS_WRITTEN = {
    "billing/queries/owners.py": "compares what is written with what is paid, and writes what differs",
}
RULES = [
    (sql.statements_elsewhere, OWN_STATEMENTS),
    (sql.unportable_functions, {}),
    (sql.bound_lists, {}),
    (sql.raw_sql, RAW),
    (sql.plans_as_written, AS_WRITTEN),
]
OFFENCES = [
    (sql.statements_elsewhere, "room/actions.py", "from sqlalchemy import select"),
    (sql.statements_elsewhere, "room/api.py", "import sqlalchemy as sa\nx = sa.update(table)"),
    (sql.statements_elsewhere, "room/models.py", "from sqlalchemy import delete"),
    (sql.statements_elsewhere, "room/jobs.py", "from sqlalchemy.dialects.postgresql import insert as upsert"),
    (sql.statements_elsewhere, "room/pages.py", "from sqlalchemy import text"),
    (sql.unportable_functions, "room/queries.py", "from sqlalchemy import func\nx = func.date_trunc('day', y)"),
    (sql.unportable_functions, "room/queries.py", "import sqlalchemy as sa\nx = sa.func.now()"),
    (sql.bound_lists, "room/queries.py", "x = column.in_(ids)"),
    (sql.bound_lists, "room/queries.py", "x = column.not_in([1, 2])"),
    (sql.raw_sql, "room/actions.py", 'x = "SELECT 1"'),
    (sql.raw_sql, "room/queries.py", 'x = f"DELETE FROM {table}"'),
    (sql.raw_sql, "room/queries.py", "x = 'PRAGMA user_version'"),
    (sql.plans_as_written, "room/queries.py", "x = select(Holders.plan)"),
    (sql.plans_as_written, "room/queries.py", "x = select(models.Holders.__table__.c.plan)"),
]
HARMLESS = {
    "kernel/database/x.py": 'x = "CREATE TABLE x (id text)"',
    "migrations/versions/0002.py": "import sqlalchemy as sa\nx = sa.text('DELETE FROM x')",
    "room/models.py": "from sqlalchemy import select",
    "holders/queries.py": "x = update(Holders).where(Holders.plan == param('plan'))",
    "room/queries.py": '"""SELECT is told of here."""\n'
    "from sqlalchemy import delete, func, insert, select, update\n"
    "due = select(a).limit(1)\n"
    "x = column.in_(select(a).where(b)), column.in_(due), func.count(), select(func.coalesce(a, b))\n",
    "room/api.py": '@router.delete("/x")\nasync def remove(): return "DELETE", "UPDATE"',
}


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_the_package_keeps_its_sql_in_place(rule, exceptions):
    assert unexcused(rule(package()), exceptions) == []


@pytest.mark.parametrize(("rule", "file", "text"), OFFENCES)
def test_sql_out_of_place_is_found(rule, file, text, tmp_path):
    assert {one.place for one in rule(sources(plant(tmp_path, {file: text})))} == {file}


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_sql_in_its_place_passes(rule, exceptions, tmp_path):
    assert list(rule(sources(plant(tmp_path, HARMLESS)))) == []
