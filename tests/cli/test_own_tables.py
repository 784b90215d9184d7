"""The commands on a stranger's product: its own branch of migrations beside ours, forward and back."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tenantry.migrations import HEAD

JOTTER = Path(__file__).parents[1] / "strangers"
NOTES = "jotter_0001"
ON_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])  # what differs is tested on both, in a few programs
TAGS = '''

class Tags(Base):
    """What a note is about."""

    __tablename__ = "tags"
    __policy__ = Policy(authenticated=MINE)

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"), index=True)
    title = column(Words())
'''


@pytest.fixture
def jotter(empty_folder):
    """The product in the working folder, as its author has it."""
    left_out = shutil.ignore_patterns("__pycache__", "conftest.py", "test_*")
    return shutil.copytree(JOTTER, empty_folder, ignore=left_out, dirs_exist_ok=True)


@pytest.fixture
def tables(settings, fetch):
    """The names of the product's own tables that are there."""

    def look():
        if "TENANTRY_OWNER_URL" in settings:
            rows = fetch(settings["TENANTRY_OWNER_URL"], "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        else:
            with closing(sqlite3.connect(settings["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
                rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {row[0] for row in rows} & {"users", "notebooks", "notes", "tags"}

    return look


def standing(answer):
    return answer.json["revision"], {one["module"]: one["revision"] for one in answer.json["modules"]}


def test_forward_and_back_along_both_branches(jotter, program, settings, tables):
    behind = program("db", "current", "--json", **settings)
    assert (behind.status, standing(behind)) == (1, (None, {"jotter": None}))
    assert [one["revision"] for one in behind.json["pending"]] == [HEAD, NOTES]

    assert program("db", "migrate", **settings).status == 0
    assert tables() == {"users", "notebooks", "notes"}
    now = program("db", "current", "--json", **settings)
    assert (now.status, standing(now)) == (0, (HEAD, {"jotter": NOTES}))

    back = program("db", "rollback", "--yes", **settings)
    assert (back.status, back.out.splitlines()[-1].endswith(f"is at revision {HEAD}.")) == (0, True)
    assert tables() == {"users"}

    assert program("db", "migrate", "--to", NOTES, **settings).status == 0
    assert program("db", "rollback", "--to", "jotter@base", "--yes", **settings).status == 0
    assert tables() == {"users"}
    assert program("db", "rollback", "--to", "base", "--yes", **settings).status == 0
    assert tables() == set()


@ON_SQLITE
def test_reset_and_push_make_the_own_tables_too(jotter, program, settings, tables):
    assert program("db", "reset", "--yes", **settings).status == 0
    assert tables() == {"users", "notebooks", "notes"}
    assert program("db", "push", "--drop", "--yes", **settings).status == 0
    assert tables() == {"users", "notebooks", "notes"}
    assert program("db", "current", **settings).status == 0


@ON_SQLITE
def test_without_the_product_its_revision_is_not_known(jotter, program, settings):
    assert program("db", "migrate", **settings).status == 0
    (jotter / "product.py").rename(jotter / "shop.py")
    answer = program("db", "current", **settings)
    assert (answer.status, NOTES in answer.err, "name the product" in answer.err) == (1, True, True)
    assert program("db", "current", "shop.py", **settings).status == 0


def test_the_server_refuses_a_database_without_the_own_tables(jotter, program, settings):
    assert program("db", "migrate", "--to", HEAD, **settings).status == 0
    answer = program("jobs", "run", "--once", **settings)
    assert (answer.status, f"this version needs {NOTES}" in answer.err) == (1, True)
    assert program("db", "migrate", **settings).status == 0
    assert program("jobs", "run", "--once", **settings).status == 0


@ON_SQLITE
def test_sql_is_printed_for_what_is_to_come(jotter, program, settings):
    assert "CREATE TABLE notebooks" in program("db", "migrate", "--sql", **settings).out
    assert program("db", "migrate", "--to", HEAD, **settings).status == 0
    printed = program("db", "migrate", "--sql", **settings).out
    assert ("CREATE TABLE notebooks" in printed, "CREATE TABLE users" in printed) == (True, False)


def test_check_knows_the_module(jotter, program):
    assert program("check").status == 0
    shutil.rmtree(jotter / "jotter/migrations")
    answer = program("check")
    assert (answer.status, "tenantry db revision -m" in answer.err) == (1, True)


@ON_SQLITE
@pytest.mark.postgres
def test_a_new_table_becomes_the_next_revision_of_the_branch(jotter, program, tables, settings):
    assert program("db", "migrate", **settings).status == 0
    models = jotter / "jotter/models.py"
    models.write_text(models.read_text() + TAGS)
    door = jotter / "jotter/__init__.py"
    door.write_text(door.read_text().replace("import Notebooks, Notes", "import Notebooks, Notes, Tags").replace(
        "tables=[Notebooks, Notes]", "tables=[Notebooks, Notes, Tags]"
    ))  # fmt: skip
    wrote = program("db", "revision", "-m", "Tags")
    assert wrote.status == 0, wrote.err
    written = jotter / "jotter/migrations/jotter_0002_tags.py"
    text = written.read_text()
    for part in (f'down_revision = "{NOTES}"', f'depends_on = "{HEAD}"', "FORCE ROW LEVEL SECURITY"):
        assert part in text.replace("'", '"')
    assert "notebooks" not in text
    assert "nothing is to be written" in program("db", "revision", "-m", "Again").out
    assert program("db", "migrate", **settings).status == 0
    assert tables() == {"users", "notebooks", "notes", "tags"}
    assert program("db", "rollback", "--yes", **settings).status == 0
    assert tables() == {"users", "notebooks", "notes"}


@pytest.mark.postgres
def test_the_first_revision_begins_the_branch(jotter, program):
    shutil.rmtree(jotter / "jotter/migrations")
    assert program("db", "revision", "-m", "Notebooks").status == 0
    text = (jotter / "jotter/migrations/jotter_0001_notebooks.py").read_text().replace("'", '"')
    assert 'branch_labels = ("jotter",)' in text
    assert "down_revision = None" in text
    assert program("db", "migrate").status == 0
