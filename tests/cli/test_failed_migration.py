"""A migration that fails leaves nothing behind, on both databases (planted beside the real ones, never among them)."""

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest
from alembic import command

from tenantry.cli.databases import database_errors
from tenantry.cli.failures import Failure
from tenantry.kernel.database import migrating
from tenantry.kernel.database.rebuilding import current
from tenantry.migrations import HEAD

STEP = '''\
"""Planted."""

from alembic import op

revision = "{name}"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
'''
MAKE = "op.execute('CREATE TABLE planted_{name} (id integer PRIMARY KEY)')"
FILL = "op.execute('INSERT INTO planted_{name} VALUES (1)')"
DROP = "op.execute('DROP TABLE planted_{name}')"
FAIL = "op.execute('SELECT * FROM nothing_of_that_name')"


@pytest.fixture
def url(settings, tenantry):
    assert tenantry("db", "migrate", **settings).status == 0
    return settings.get("TENANTRY_OWNER_URL", settings["TENANTRY_DATABASE_URL"])


@pytest.fixture
def run_planted(tmp_path, url):
    """Plant steps after the newest real one and run them."""
    folder = tmp_path / "versions"
    folder.mkdir()

    def call(*steps, down=None):
        after = HEAD
        for number, (up, back) in enumerate(steps, start=1):
            name = f"p{number}"
            lines = {key: value.replace("{name}", name) for key, value in (("up", up), ("down", back))}
            (folder / f"{name}.py").write_text(STEP.format(name=name, after=after, **lines))
            after = name

        def work(config):
            config.set_main_option("version_locations", f"{migrating.FOLDER / 'versions'}{os.pathsep}{folder}")
            command.downgrade(config, down) if down else command.upgrade(config, "head")

        with database_errors(url):
            asyncio.run(migrating.on_connection(url, work))

    return call


@pytest.fixture
def planted(url, fetch):
    """The planted tables there are."""

    def look():
        if url.startswith("postgresql"):
            rows = fetch(url, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'planted%'")
        else:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                rows = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'planted%'").fetchall()
        return {row[0] for row in rows}

    return look


def test_a_step_that_fails_halfway_leaves_nothing(url, run_planted, planted):
    with pytest.raises(Failure, match="nothing_of_that_name"):
        run_planted((f"{MAKE}; {FILL}; {FAIL}", DROP))
    assert planted() == set()
    assert asyncio.run(current(url)) == {HEAD}


def test_the_steps_before_it_stay(url, run_planted, planted):
    with pytest.raises(Failure):
        run_planted((MAKE, DROP), (f"{MAKE}; {FAIL}", DROP))
    assert planted() == {"planted_p1"}
    assert asyncio.run(current(url)) == {"p1"}


def test_a_step_back_that_fails_halfway_takes_nothing_back(url, run_planted, planted):
    run_planted((MAKE, f"{DROP}; {FAIL}"))
    with pytest.raises(Failure):
        run_planted(down=HEAD)
    assert planted() == {"planted_p1"}
    assert asyncio.run(current(url)) == {"p1"}


def test_it_works_once_it_is_mended(url, run_planted, planted):
    with pytest.raises(Failure):
        run_planted((f"{MAKE}; {FAIL}", DROP))
    run_planted((MAKE, DROP))
    assert planted() == {"planted_p1"}
    run_planted(down=HEAD)
    assert planted() == set()
    assert asyncio.run(current(url)) == {HEAD}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_rows_that_refer_to_nothing_are_a_failure_too(url, run_planted, planted):
    # PostgreSQL refuses such rows itself; for SQLite's migrations the references are not enforced.
    child = "op.execute('CREATE TABLE planted_child (parent integer REFERENCES planted_p1 (id))')"
    with pytest.raises(Failure, match="planted_child"):
        run_planted((f"{MAKE}; {child}; op.execute('INSERT INTO planted_child VALUES (7)')", DROP))
    assert planted() == set()
    assert asyncio.run(current(url)) == {HEAD}
