"""`tenantry doctor`: what is wrong with a database is found, each with its way out; looking changes nothing."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database.sqlite_file import register_functions
from tenantry.testing import PostgresServer, start_postgres

PLANS = """\
from tenantry import Google, Meter, Plan, Product
requests = Meter("requests", per="day")
product = Product("Acme", sign_in=[Google()], plans=[
    Plan("free", price=0, limits={requests: 5}),
    Plan("gold", price=None, limits={requests: 50}),
])
"""
WITHOUT_GOLD = PLANS.replace('"gold"', '"silver"')
DEAD = """
INSERT INTO jobs (id, name, payload, status, attempts, attempts_max, last_error, finished_at)
VALUES ('01900000-0000-7000-8000-000000000001', 'mail.deliver', '{}', 'dead', 8, 8, 'hunter2 is no password', %s)"""

TEAM = "01900000-0000-7000-8000-000000000002"

Sql = Callable[..., None]


def file_of(settings):
    return Path(settings["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))


@pytest.fixture
def sql(settings) -> Sql:
    """Run SQL as the owner, past everything that guards the database."""

    def on_sqlite(*statements: str) -> None:
        with closing(sqlite3.connect(file_of(settings), isolation_level=None)) as connection:
            register_functions(connection, SystemClock())
            for statement in statements:
                connection.execute(statement)

    async def on_postgresql(*statements: str) -> None:
        await _run(settings["TENANTRY_OWNER_URL"], *statements)

    if "TENANTRY_OWNER_URL" in settings:
        return lambda *statements: asyncio.run(on_postgresql(*statements))
    return on_sqlite


@pytest.fixture
def seeded(settings, empty_folder, tenantry):
    """A database in which Grace is on the plan `gold`; and the file of its product."""
    path = empty_folder / "product.py"
    path.write_text(PLANS)
    assert tenantry("db", "migrate", **settings).status == 0
    assert tenantry("seed", **settings).status == 0
    return path


def found_by(answer, place):
    return [one["problem"] for one in answer.json["findings"] if one["where"] == place]


def figures(answer, name):
    return answer.json["figures"][name]["rows"]


def test_a_database_in_order_is_status_0(seeded, settings, tenantry):
    answer = tenantry("doctor", "--json", **settings)
    assert (answer.status, answer.json["ok"], answer.json["findings"]) == (0, True, [])
    assert answer.json["product"] == "Acme"
    plans = {row["plan"]: (row["declared"], row["active"], row["holders"]) for row in figures(answer, "plans")}
    assert plans == {"free": (True, True, 2), "gold": (True, True, 1)}
    assert {"users", "holders", "usage_counters", "api_calls"} <= {row["table"] for row in figures(answer, "tables")}
    assert {row["status"]: row["jobs"] for row in figures(answer, "jobs")}["dead"] == 0
    said = tenantry("doctor", **settings)
    assert said.status == 0
    assert "nothing to complain about" in said.out
    assert "usage_counters" in said.out


def test_a_stored_plan_that_is_not_declared_is_found_with_its_holders(seeded, settings, tenantry):
    seeded.write_text(WITHOUT_GOLD)
    answer = tenantry("doctor", "--json", **settings)
    assert answer.status == 0
    unknown, absent = found_by(answer, "database.plans")
    assert unknown == 'The stored plan "gold" is not declared; 1 holder is on it and has the limits of "free".'
    assert absent == 'The plan "silver" is declared and not stored yet.'
    # The start writes what is declared; the holder stays where it is.
    assert tenantry("seed", **settings).status == 0
    assert found_by(tenantry("doctor", "--json", **settings), "database.plans") == [unknown]
    assert "is_active=False" in tenantry("doctor", **settings).err


def test_a_stored_plan_that_nobody_is_on_is_found_too(seeded, settings, tenantry, sql):
    sql("UPDATE holders SET plan = 'free'")
    seeded.write_text(WITHOUT_GOLD)
    (found, _absent) = found_by(tenantry("doctor", "--json", **settings), "database.plans")
    assert found == 'The stored plan "gold" is not declared; nobody is on it.'


def test_a_plan_that_is_stored_otherwise_is_found_until_a_start(seeded, settings, tenantry):
    seeded.write_text(PLANS.replace("requests: 50", "requests: 60").replace('"free", price=0', '"free", price=1'))
    answer = tenantry("doctor", "--json", **settings)
    assert found_by(answer, "database.plans") == [
        'The plan "free" is stored otherwise than declared: price_minor.',
        'The plan "gold" is stored otherwise than declared: limits.',
    ]
    assert tenantry("seed", **settings).status == 0
    assert found_by(tenantry("doctor", "--json", **settings), "database.plans") == []


def test_organizations_that_hold_nothing_are_found_until_a_start(seeded, settings, tenantry, sql):
    billed = PLANS.replace('Product("Acme",', 'Product("Acme", billed="organization",')
    made = (
        f"INSERT INTO organizations (id, name, owner_id) SELECT '{TEAM}', 'x', id FROM users LIMIT 1",
        "INSERT INTO memberships (organization_id, user_id, role) SELECT id, owner_id, 'owner' FROM organizations",
    )
    # The two tables reference each other, which is looked at when a transaction ends.
    sql(*([";".join(made)] if "TENANTRY_OWNER_URL" in settings else made))
    assert found_by(tenantry("doctor", "--json", **settings), "database.organizations") == []
    seeded.write_text(billed)
    for command in ("doctor", "check"):
        answer = tenantry(command, "--json", **settings)
        (told,) = found_by(answer, "database.organizations")
        assert "1 organization has no plan yet" in told
        # The server starts all the same, and mends it.
        assert answer.status == 0
    assert tenantry("seed", **settings).status == 0
    assert found_by(tenantry("doctor", "--json", **settings), "database.organizations") == []


def test_another_revision_and_no_schema_are_found(product, settings, tenantry, sql):
    assert "TENANTRY" in tenantry("doctor", **settings).err or "at revision none" in tenantry("doctor", **settings).err
    assert tenantry("db", "migrate", **settings).status == 0
    sql("UPDATE tenantry_schema SET version_num = '9999'")
    answer = tenantry("doctor", "--json", **settings)
    assert (answer.status, answer.json["ok"]) == (1, False)
    assert "revision 9999" in found_by(answer, "database")[0]
    assert {one["fix"] for one in answer.json["findings"] if one["where"] == "database"} == {
        "Run `tenantry db migrate`."
    }


def test_dead_jobs_are_found_without_what_they_say(seeded, settings, tenantry, sql):
    sql(DEAD % ("now()" if "TENANTRY_OWNER_URL" in settings else "tenantry_now()"))
    answer = tenantry("doctor", "--json", **settings)
    assert answer.status == 0
    assert found_by(answer, "database.jobs") == ["1 job is dead: mail.deliver (1)."]
    assert "hunter2" not in answer.out
    assert "tenantry jobs replay" in tenantry("doctor", **settings).err


LOST_ON_BOTH = {
    "index": ("DROP INDEX ix_holders_plan", "holders", "The index ix_holders_plan is missing", "CREATE INDEX"),
    "table": ("DROP TABLE usage_notices", "usage_notices", "The table is missing.", "backup"),
    "column": (
        "ALTER TABLE users DROP COLUMN company", "users", "The column company is missing.", "backup",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lost", LOST_ON_BOTH)
def test_what_is_declared_and_missing_is_found(lost, seeded, settings, tenantry, sql):
    statement, table, problem, fix = LOST_ON_BOTH[lost]
    if lost == "column" and "TENANTRY_OWNER_URL" not in settings:
        # SQLite lets no column go that a CHECK names; one that the declaration does not find will do.
        statement = "ALTER TABLE users RENAME COLUMN company TO firm"
    sql(statement)
    answer = tenantry("doctor", "--json", **settings)
    assert answer.status == 1
    first = next(one for one in answer.json["findings"] if one["where"] == f"database.{table}")
    assert first["problem"].startswith(problem)
    assert fix in first["fix"]


def test_a_missing_trigger_is_found_and_its_way_out_works(seeded, settings, tenantry, sql):
    on = " ON users" if "TENANTRY_OWNER_URL" in settings else ""
    sql(f"DROP TRIGGER users_touch{on}")
    answer = tenantry("doctor", "--json", **settings)
    (found,) = answer.json["findings"]
    assert found["problem"].startswith("The trigger users_touch is missing")
    sql(found["fix"].removeprefix("Run as the owner: "))
    assert tenantry("doctor", "--json", **settings).json["findings"] == []


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.parametrize(
    ("spoiling", "problem"),
    [
        ("ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "Row level security is not enabled and forced"),
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "Row level security is not enabled and forced"),
        ("ALTER TABLE users DISABLE TRIGGER users_touch", "The trigger users_touch is missing, not valid or switched"),
        ("DROP POLICY users_authenticated_select ON users", "The policy users_authenticated_select is missing."),
    ],
)
def test_a_guard_that_is_gone_is_found_and_its_way_out_works(spoiling, problem, seeded, settings, tenantry, sql):
    sql(spoiling)
    answer = tenantry("doctor", "--json", **settings)
    (found,) = answer.json["findings"]
    assert (answer.status, found["where"], found["level"]) == (1, "database.users", "error")
    assert found["problem"].startswith(problem)
    if "DISABLE TRIGGER" in spoiling:
        sql("DROP TRIGGER users_touch ON users")
    sql(found["fix"].removeprefix("Run as the owner: "))
    assert tenantry("doctor", "--json", **settings).json["findings"] == []


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_policy_that_nobody_declared_is_found_and_its_way_out_works(seeded, settings, tenantry, sql):
    sql("CREATE POLICY open_to_all ON users USING (true)")
    (found,) = tenantry("doctor", "--json", **settings).json["findings"]
    assert found["problem"].startswith("The policy open_to_all is not declared")
    sql(found["fix"].partition("owner: ")[2])
    assert tenantry("doctor", "--json", **settings).json["findings"] == []


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.parametrize(
    ("spoiling", "problem"),
    [
        ('ALTER ROLE "{api}" BYPASSRLS', "passes row level security by"),
        ('GRANT CREATE ON SCHEMA public TO "{api}"; ALTER TABLE users OWNER TO "{api}"', "owns tables"),
        ('GRANT service_role TO "{api}"', "may become service_role"),
    ],
)
def test_a_login_that_may_too_much_is_found(spoiling, problem, seeded, settings, tenantry, sql):
    api = urlsplit(settings["TENANTRY_DATABASE_URL"]).username
    sql(spoiling.replace("{api}", api))
    answer = tenantry("doctor", "--json", **settings)
    assert answer.status == 1
    assert any(problem in one for one in found_by(answer, "TENANTRY_DATABASE_URL"))


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_connections_that_fail_are_found_without_their_passwords(seeded, settings, tenantry):
    wrong = {name: address.replace("secret@", "hunter2@") for name, address in settings.items()}
    wrong["TENANTRY_OWNER_URL"] = settings["TENANTRY_OWNER_URL"]
    wrong["TENANTRY_DIRECT_URL"] = wrong["TENANTRY_SERVICE_URL"]
    answer = tenantry("doctor", "--json", **wrong)
    assert answer.status == 1
    places = {one["where"] for one in answer.json["findings"]}
    assert places == {"TENANTRY_DATABASE_URL", "TENANTRY_SERVICE_URL", "TENANTRY_DIRECT_URL"}
    assert figures(answer, "tables")  # what the owner sees is told all the same
    plain = tenantry("doctor", **wrong)
    for said in (answer.out, answer.err, plain.out, plain.err):
        assert "hunter2" not in said
        assert urlsplit(settings["TENANTRY_OWNER_URL"]).password not in said


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_without_an_owner_the_logins_see_enough(seeded, settings, tenantry):
    fewer = {name: address for name, address in settings.items() if name != "TENANTRY_OWNER_URL"}
    answer = tenantry("doctor", "--json", **fewer)
    assert (answer.status, answer.json["findings"]) == (0, [])
    assert {"database", "tables", "indexes", "statements", "plans", "jobs"} == answer.json["figures"].keys()


def test_a_server_that_does_not_answer_is_found(product, tenantry):
    address = "postgresql://ada:hunter2@127.0.0.1:9/shop"
    answer = tenantry("doctor", TENANTRY_DATABASE_URL=address)
    assert answer.status == 1
    assert "TENANTRY_DATABASE_URL" in answer.err
    assert "TENANTRY_SERVICE_URL" in answer.err
    assert "Start it, or correct the address." in answer.err
    assert "hunter2" not in answer.err + answer.out


def test_a_database_that_is_not_there_leads_to_init(product, addresses, tenantry):
    answer = tenantry("doctor", **addresses)
    assert answer.status == 1
    assert "tenantry db init" in answer.err


def test_no_file_is_made_and_one_that_is_none_is_found(product, tenantry):
    answer = tenantry("doctor", TENANTRY_DATABASE_URL="sqlite:///var/none.db")
    assert (answer.status, "There is no file" in answer.err) == (1, True)
    assert not Path("var").exists()
    Path("notes.txt").write_text("no database, but long enough to be looked at " * 10)
    answer = tenantry("doctor", TENANTRY_DATABASE_URL="sqlite:///notes.txt")
    assert (answer.status, "it is no SQLite database" in answer.err) == (1, True)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_file_with_dangling_rows_free_pages_and_another_journal_is_found(seeded, settings, tenantry, sql):
    sql(
        "PRAGMA foreign_keys = OFF",
        "UPDATE holders SET plan = 'lost' WHERE plan = 'gold'",
        "CREATE TABLE ballast (x TEXT) STRICT",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
        "INSERT INTO ballast SELECT hex(zeroblob(2000)) FROM n",
        "DROP TABLE ballast",
        "PRAGMA journal_mode = DELETE",
    )
    answer = tenantry("doctor", "--json", **settings)
    assert answer.status == 1
    assert found_by(answer, "database.holders") == ["1 row refers to rows that are not there."]
    mode, free = found_by(answer, "database")
    assert "journal mode is delete" in mode
    assert "pages are free" in free
    assert figures(answer, "database")[0]["free_pages"] >= 1000


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("root_of", ["ix_holders_plan", "sqlite_schema"])
def test_a_damaged_file_is_found(root_of, seeded, settings, tenantry, sql):
    sql("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE")
    path = file_of(settings)
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [root_of]).fetchone()
    with path.open("r+b") as file:
        if found:
            file.seek((found[0] - 1) * 4096 + 3)
            file.write(b"\x00\x00")  # the index says that it is empty
        else:
            file.seek(100)  # the first page's own head, behind the file's
            file.write(b"\xff" * 12)
    answer = tenantry("doctor", "--json", **settings)
    assert answer.status == 1
    assert any("The file is damaged" in one for one in found_by(answer, "database"))
    assert "restore a backup" in tenantry("doctor", **settings).err


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_whether_a_file_was_analyzed_is_told(seeded, settings, tenantry, sql):
    sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO notices "
        "(id, topic, subject_id) SELECT 1000 + i, 'holder', '01900000-0000-7000-8000-000000000001' FROM n"
    )
    answer = tenantry("doctor", "--json", **settings)
    assert "was never analyzed" in found_by(answer, "database.notices")[0]
    sql("ANALYZE")
    answer = tenantry("doctor", "--json", **settings)
    assert answer.json["findings"] == []
    row = next(row for row in figures(answer, "tables") if row["table"] == "notices")
    assert (row["analyzed"], row["rows"] >= 10_000, row["pages"] is None or row["pages"] > 10) == (True, True, True)


def test_a_look_changes_nothing(seeded, settings, tenantry, every_row):
    seeded.write_text(WITHOUT_GOLD)
    before = every_row(settings)
    path = Path(__file__) if "TENANTRY_OWNER_URL" in settings else file_of(settings)
    content = path.read_bytes()
    for command in (["doctor"], ["doctor", "--json"], ["check"]):
        assert tenantry(*command, **settings).status == 0
    assert every_row(settings) == before
    assert path.read_bytes() == content


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_who_counts_statements_is_told(seeded, settings, tenantry):
    answer = tenantry("doctor", "--json", **settings)
    statements = answer.json["figures"]["statements"]
    assert statements["rows"] == []
    assert "CREATE EXTENSION pg_stat_statements" in statements["note"]
    assert "shared_preload_libraries" in statements["note"]


@pytest.fixture
def counting_server() -> Iterator[PostgresServer]:
    """A server that counts statements, as one in production should."""
    with start_postgres() as server:
        asyncio.run(_run(server.url, "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"))
        server.restart()
        yield server


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.postgres
def test_the_ten_slowest_statements_are_told_without_values(product, counting_server, tenantry):
    url = urlsplit(counting_server.url)._replace(path="/counted")
    owner = url.geturl()
    place = f"{counting_server.host}:{counting_server.port}"
    settings = {
        "TENANTRY_OWNER_URL": owner,
        "TENANTRY_DATABASE_URL": url._replace(netloc=f"api:api-secret@{place}").geturl(),
        "TENANTRY_SERVICE_URL": url._replace(netloc=f"service:service-secret@{place}").geturl(),
    }
    assert tenantry("db", "init", **settings).status == 0
    assert tenantry("db", "migrate", **settings).status == 0
    asyncio.run(
        _run(
            owner,
            "CREATE EXTENSION pg_stat_statements",
            "SELECT pg_sleep(0.3), 'hunter2'",
            "ALTER ROLE api PASSWORD 'api-secret' VALID UNTIL '2099-01-01'",
            "DO $$ BEGIN PERFORM pg_sleep(0.4); END $$",
        )
    )
    answer = tenantry("doctor", "--json", **settings)
    rows = figures(answer, "statements")
    assert 0 < len(rows) <= 10
    assert rows == sorted(rows, key=lambda row: -row["mean_ms"])
    assert any("pg_sleep($1)" in row["statement"] and row["mean_ms"] >= 300 for row in rows)
    said = answer.out + tenantry("doctor", **settings).out
    for secret in ("hunter2", "api-secret", "ALTER ROLE", "DO $$"):
        assert secret not in said
    # A login that may not read everybody's statistics sees that there is something.
    fewer = {name: address for name, address in settings.items() if name != "TENANTRY_OWNER_URL"}
    assert "pg_read_all_stats" in tenantry("doctor", "--json", **fewer).json["figures"]["statements"]["note"]
    asyncio.run(_run(owner, "ALTER SYSTEM RESET shared_preload_libraries"))
    counting_server.restart()
    assert (
        "has not loaded its library" in tenantry("doctor", "--json", **settings).json["figures"]["statements"]["note"]
    )


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_what_figures_hint_at_is_told(seeded, settings, tenantry, sql):
    sql(
        "SET session_replication_role = replica",
        "ALTER TABLE notices SET (autovacuum_enabled = false)",
        "INSERT INTO notices (id, topic, subject_id) OVERRIDING SYSTEM VALUE "
        "SELECT 1000 + i, 'holder', '01900000-0000-7000-8000-000000000001' FROM generate_series(1, 30000) i",
        "DELETE FROM notices WHERE id > 1000 AND id <= 13000",
        *["SELECT count(*) FROM notices WHERE subject_id IS NULL"] * 120,
        "SELECT pg_stat_force_next_flush()",
    )
    deadline = time.monotonic() + 10
    told: list[str] = []
    while len(told) < 3 and time.monotonic() < deadline:
        told = found_by(tenantry("doctor", "--json", **settings), "database.notices")
    assert ["dead rows" in told[0], "was not analyzed" in told[1], "was read whole 12" in told[2]] == [True] * 3
