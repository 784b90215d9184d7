"""`tenantry db` on both databases: forward, back, anew; what production refuses; what a person is told."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from house.rules.live import differences, schema_of
from tenantry.kernel.database.migrating import upgrade
from tenantry.migrations import HEAD


def tables(settings, fetch):
    """The tables there are, but for the one that remembers the revision."""
    if "TENANTRY_OWNER_URL" in settings:
        rows = fetch(settings["TENANTRY_OWNER_URL"], "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    else:
        with closing(sqlite3.connect(settings["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {row[0] for row in rows} - {"tenantry_schema"}


def test_forward_back_and_anew(settings, tenantry, fetch):
    behind = tenantry("db", "current", "--json", **settings)
    assert (behind.status, behind.json["revision"], behind.json["newest"]) == (1, None, HEAD)
    assert behind.json["pending"][0]["revision"] == "0001"

    assert tenantry("db", "migrate", **settings).status == 0
    assert "users" in tables(settings, fetch)
    assert tenantry("db", "current", "--json", **settings).json["revision"] == HEAD
    again = tenantry("db", "migrate", **settings)
    assert (again.status, "nothing is to be done" in again.out) == (0, True)

    assert tenantry("db", "rollback", "--to", "base", "--yes", **settings).status == 0
    assert tables(settings, fetch) == set()
    nothing = tenantry("db", "rollback", "--yes", **settings)
    assert (nothing.status, "no revision to take back" in nothing.err) == (1, True)

    assert tenantry("db", "migrate", "--to", "0001", **settings).status == 0
    assert tenantry("db", "reset", "--yes", **settings).status == 0
    assert tenantry("db", "current", **settings).status == 0


def test_f_04_to_migrate_again_changes_nothing(settings, tenantry, every_row):
    url = settings.get("TENANTRY_OWNER_URL", settings["TENANTRY_DATABASE_URL"])
    assert tenantry("db", "migrate", **settings).status == 0
    assert tenantry("seed", "crypto_data", **settings).status == 0
    schema, rows = asyncio.run(schema_of(url)), every_row(settings)
    assert "usage_counters.holder_id column" in schema
    for to in ([], ["--to", HEAD], ["--yes"]):
        again = tenantry("db", "migrate", *to, **settings)
        assert (again.status, "nothing is to be done" in again.out) == (0, True)
    # As the steps themselves run them, without the look before.
    asyncio.run(upgrade(url))
    assert differences(schema, asyncio.run(schema_of(url))) == []
    assert every_row(settings) == rows


def test_push_makes_what_migrations_make(settings, tenantry, fetch):
    assert tenantry("db", "migrate", **settings).status == 0
    migrated = tables(settings, fetch)
    taken = tenantry("db", "push", **settings)
    assert (taken.status, "--drop" in taken.err) == (1, True)
    assert tenantry("db", "push", "--drop", "--yes", **settings).status == 0
    assert tables(settings, fetch) == migrated
    assert tenantry("db", "current", **settings).status == 0
    assert tenantry("db", "reset", "--yes", **settings).status == 0
    assert tenantry("db", "rollback", "--to", "base", "--yes", **settings).status == 0
    assert tenantry("db", "push", **settings).status == 0


def test_sql_is_printed_and_not_run(settings, tenantry):
    printed = tenantry("db", "migrate", "--sql", **settings)
    assert printed.status == 0
    assert "CREATE TABLE users" in printed.out
    assert "0001" in printed.out
    assert tenantry("db", "current", **settings).status == 1


@pytest.mark.parametrize("command", [["reset"], ["push"], ["push", "--drop"]])
def test_production_refuses(command, settings, tenantry, fetch):
    assert tenantry("db", "migrate", **settings).status == 0
    before = tables(settings, fetch)
    answer = tenantry("db", *command, "--yes", TENANTRY_ENVIRONMENT="production", **settings)
    assert answer.status == 1
    assert "refused in production" in answer.err
    assert tables(settings, fetch) == before


def test_production_shows_the_plan_and_wants_a_yes(settings, tenantry):
    production = {**settings, "TENANTRY_ENVIRONMENT": "production"}
    asked = tenantry("db", "migrate", **production)
    assert asked.status == 1
    assert "  0001  " in asked.out
    assert "--yes" in asked.err
    assert tenantry("db", "current", **production).status == 1
    assert tenantry("db", "migrate", "--yes", **production).status == 0


@pytest.mark.parametrize("command", [["rollback"], ["reset"], ["push", "--drop"]])
def test_what_loses_rows_wants_a_yes(command, settings, tenantry, fetch):
    assert tenantry("db", "migrate", **settings).status == 0
    before = tables(settings, fetch)
    answer = tenantry("db", *command, **settings)
    assert (answer.status, "--yes" in answer.err) == (1, True)
    assert tables(settings, fetch) == before


@pytest.mark.parametrize("command", [["migrate", "--to", "9999"], ["rollback", "--to", "9999", "--yes"]])
def test_a_revision_nobody_knows_is_told(command, settings, tenantry):
    assert tenantry("db", "migrate", **settings).status == 0
    answer = tenantry("db", *command, **settings)
    assert answer.status == 1
    assert "9999" in answer.err


def test_a_database_of_a_later_version_is_left_alone(tenantry):
    Path("var").mkdir()
    assert tenantry("db", "migrate").status == 0
    with closing(sqlite3.connect("var/tenantry.db")) as connection, connection:
        connection.execute("UPDATE tenantry_schema SET version_num = '9999'")
    for command in (["db", "migrate"], ["db", "current"], ["db", "rollback", "--yes"]):
        answer = tenantry(*command)
        assert answer.status == 1
        assert "9999, which this version of Tenantry does not know" in answer.err


def test_looking_makes_no_file(tenantry):
    assert tenantry("db", "current").status == 1
    assert tenantry("db", "migrate", "--sql").status == 0
    assert not Path("var").exists()


def test_a_file_that_is_no_database_is_told(tenantry):
    Path("notes.txt").write_text("no database, but long enough to be looked at " * 10)
    answer = tenantry("db", "migrate", TENANTRY_DATABASE_URL="sqlite:///notes.txt")
    assert answer.status == 1
    assert "no SQLite database" in answer.err


def test_sqlite_needs_no_logins(tenantry):
    answer = tenantry("db", "init")
    assert (answer.status, "no logins" in answer.out) == (0, True)


@pytest.mark.parametrize("command", [["migrate"], ["current"], ["init"]])
def test_a_missing_owner_and_a_server_that_does_not_answer_are_told(command, tenantry):
    address = "postgresql://ada:hunter2@127.0.0.1:9/shop"
    unset = tenantry("db", *command, TENANTRY_DATABASE_URL=address)
    assert (unset.status, "TENANTRY_OWNER_URL is unset" in unset.err) == (1, True)
    away = tenantry(
        "db",
        *command,
        TENANTRY_DATABASE_URL=address.replace("ada", "api"),
        TENANTRY_SERVICE_URL=address.replace("ada", "service"),
        TENANTRY_OWNER_URL=address,
    )
    assert (away.status, "no server answers there" in away.err) == (1, True)
    assert "hunter2" not in away.err + away.out
    assert len(away.err.splitlines()) == 2


def test_a_place_that_cannot_be_used_is_told(product, tenantry, program):
    Path("notes").write_text("a file, not a folder")
    for command in (["db", "migrate"], ["run", "--port", "0"]):
        answer = program(*command, TENANTRY_DATABASE_URL="sqlite:///notes/test.db")
        assert answer.status == 1
        assert "TENANTRY_DATABASE_URL" in answer.err
        assert "Traceback" not in answer.err
