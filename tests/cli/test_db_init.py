"""`tenantry db init`: the database, its roles and logins, made once."""

from urllib.parse import urlsplit

import pytest

ROLES = """
SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolinherit, r.rolcreatedb, r.rolcreaterole, s.setconfig,
       ARRAY(
         SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1
       )
FROM pg_roles r LEFT JOIN pg_db_role_setting s ON s.setrole = r.oid WHERE r.rolname NOT LIKE 'pg_%' ORDER BY 1"""
RIGHTS = "SELECT datname, datacl::text FROM pg_database WHERE datname = current_database()"


def test_twice_is_once(addresses, tenantry, fetch):
    owner = addresses["TENANTRY_OWNER_URL"]
    first = tenantry("db", "init", **addresses)
    assert first.status == 0
    assert "tenantry db migrate" in first.out
    before = fetch(owner, ROLES), fetch(owner, RIGHTS)
    assert tenantry("db", "init", **addresses).status == 0
    assert (fetch(owner, ROLES), fetch(owner, RIGHTS)) == before


def test_the_logins_work_and_own_nothing(addresses, tenantry, fetch):
    assert tenantry("db", "init", **addresses).status == 0
    assert tenantry("db", "migrate", **addresses).status == 0
    assert fetch(addresses["TENANTRY_DATABASE_URL"], "SELECT current_user::text") == [("authenticated",)]
    assert fetch(addresses["TENANTRY_SERVICE_URL"], "SELECT current_user::text") == [("service_role",)]


def test_addresses_with_new_passwords_are_printed_and_work(addresses, tenantry, fetch):
    owner = {"TENANTRY_OWNER_URL": addresses["TENANTRY_OWNER_URL"]}
    printed = tenantry("db", "init", "--print-env", **owner)
    assert printed.status == 0
    made = dict(line.split("=", 1) for line in printed.out.splitlines())
    assert made.keys() == addresses.keys()
    assert made["TENANTRY_OWNER_URL"] == owner["TENANTRY_OWNER_URL"]
    assert made != dict(line.split("=", 1) for line in tenantry("db", "init", "--print-env", **owner).out.splitlines())
    assert tenantry("db", "init", **made).status == 0
    assert fetch(made["TENANTRY_DATABASE_URL"], "SELECT 1") == [(1,)]


def test_passwords_are_never_shown(addresses, tenantry):
    said = [
        tenantry("db", *command, **addresses) for command in (["init"], ["migrate"], ["current"], ["current", "--json"])
    ]
    text = "".join(answer.out + answer.err for answer in said)
    for address in addresses.values():
        assert urlsplit(address).password not in text
    assert "***" in text


@pytest.mark.parametrize("command", [["migrate"], ["current"]])
def test_a_database_that_is_not_there_leads_to_init(command, addresses, tenantry):
    answer = tenantry("db", *command, **addresses)
    assert answer.status == 1
    assert "tenantry db init" in answer.err


def test_a_wrong_password_is_told(addresses, tenantry):
    wrong = addresses["TENANTRY_OWNER_URL"].replace("postgres:", "postgres:wrong")
    answer = tenantry("db", "migrate", **{**addresses, "TENANTRY_OWNER_URL": wrong})
    assert answer.status == 1
    assert "the login is refused" in answer.err


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"TENANTRY_SERVICE_URL": ""}, "TENANTRY_SERVICE_URL is unset"),
        ({"TENANTRY_SERVICE_URL": "api"}, "has the same login as TENANTRY_DATABASE_URL"),
        ({"TENANTRY_SERVICE_URL": "nobody"}, "names no user"),
        ({"TENANTRY_SERVICE_URL": "silent"}, "has no password"),
    ],
)
def test_addresses_that_cannot_be_are_told(changed, told, addresses, tenantry):
    api = addresses["TENANTRY_DATABASE_URL"]
    place = api.rpartition("@")[2]
    written = {"": "", "api": api, "nobody": f"postgresql://{place}", "silent": f"postgresql://silent@{place}"}
    values = {name: written[value] for name, value in changed.items()}
    answer = tenantry("db", "init", **{**addresses, **values})
    assert answer.status == 1
    assert told in answer.err


def test_nothing_to_print_without_an_owner(tenantry):
    answer = tenantry("db", "init", "--print-env")
    assert (answer.status, "TENANTRY_OWNER_URL is unset" in answer.err) == (1, True)
