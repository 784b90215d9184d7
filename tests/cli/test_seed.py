"""`tenantry seed`: two people with a past, and an operator, once."""

import sqlite3
from contextlib import closing

import pytest

from tenantry.blueprints import NAMES


def everything(settings, fetch):
    """What demo data consists of, in both databases."""
    queries = [
        "SELECT id, email, name, created_at FROM users ORDER BY id",
        "SELECT holder_id, meter, window_start, used, quota, updated_at FROM usage_counters ORDER BY 1, 2, 3",
        "SELECT id, plan, revision FROM holders ORDER BY id",
        "SELECT count(*) FROM audit_log",
        "SELECT email FROM users WHERE role = 'ADMIN'",
    ]
    if "TENANTRY_OWNER_URL" in settings:
        return [fetch(settings["TENANTRY_OWNER_URL"], query) for query in queries]
    with closing(sqlite3.connect(settings["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))) as connection:
        return [connection.execute(query).fetchall() for query in queries]


def test_makes_people_with_a_past_and_twice_is_once(settings, tenantry, fetch):
    assert tenantry("db", "migrate", **settings).status == 0
    first = tenantry("seed", "crypto_data", **settings)
    assert first.status == 0
    assert "made 3 people and 60 windows" in first.out
    before = everything(settings, fetch)
    users, counters, holders, _audited, operators = before
    assert {user[1] for user in users} == {"ada@example.com", "grace@example.com", "operator@example.com"}
    assert [tuple(one) for one in operators] == [("operator@example.com",)]
    assert sorted(holder[1] for holder in holders) == ["free", "free", "pro"]
    assert {counter[4] for counter in counters} == {100, 1000}
    assert all(counter[3] <= counter[4] for counter in counters)

    second = tenantry("seed", "crypto_data", **settings)
    assert (second.status, "was there already" in second.out) == (0, True)
    assert everything(settings, fetch) == before


@pytest.mark.parametrize("blueprint", NAMES)
def test_p_17_a_second_run_changes_no_row_of_any_table(blueprint, settings, tenantry, every_row):
    assert tenantry("db", "migrate", **settings).status == 0
    assert tenantry("seed", blueprint, **settings).status == 0
    before = every_row(settings)
    assert sum(map(len, before.values())) > 60
    again = tenantry("seed", blueprint, **settings)
    assert (again.status, "was there already" in again.out) == (0, True)
    assert every_row(settings) == before


def test_an_sqlite_file_is_made_for_it(product, tenantry):
    assert tenantry("seed").status == 0
    assert tenantry("db", "current").status == 0


def test_every_kind_of_meter_has_a_past(empty_folder, tenantry):
    (empty_folder / "product.py").write_text(
        "from tenantry import UNLIMITED, Google, Meter, Plan, Product\n"
        'calls, mails = Meter("calls", per="day"), Meter("mails", per="month")\n'
        'free = Plan("free", price=0, limits={calls: UNLIMITED, mails: 3})\n'
        'product = Product("Acme", sign_in=[Google()], plans=[free])\n'
    )
    answer = tenantry("seed")
    assert answer.status == 0, answer.err
    assert "made 3 people and 72 windows" in answer.out


@pytest.mark.parametrize("more", [{}, {"TENANTRY_SECRET_KEYS": "k" * 40}])
def test_production_refuses(more, product, tenantry, empty_folder):
    answer = tenantry("seed", TENANTRY_ENVIRONMENT="production", **more)
    assert answer.status == 1
    assert answer.err.startswith("error: Demo data is refused in production.")
    assert not (empty_folder / "var").exists()
