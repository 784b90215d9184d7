"""PostgreSQL's row level security and grants by themselves: raw SQL as the API login, no statement of ours in between.

Every table of the metadata is walked, so a new one is covered the day it is written. The cases are those of
`reference` attacks: forged, broken and missing claims, columns, upserts, COPY, role changes, DDL.
"""

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.kernel.database import Base
from tenantry.kernel.policies import Command, Rights, Role, anyone, policy_of
from tenantry.testing import TestDatabase

pytestmark = pytest.mark.postgres
ADA, EVE = UUID(int=1), UUID(int=2)
REFUSED = asyncpg.InsufficientPrivilegeError
TABLES = [table.name for table in Base.metadata.sorted_tables]
tables = pytest.mark.parametrize("name", TABLES)

BROKEN_CLAIMS = {
    "none": "",
    "not json": "{",
    "a number": "5",
    "null": "null",
    "an array": json.dumps([str(ADA)]),
    "no sub": '{"role": "authenticated"}',
    "sub is null": '{"sub": null}',
    "sub is no uuid": '{"sub": "1 OR true"}',
    "sub is empty": '{"sub": ""}',
    "sub is an object": '{"sub": {"sub": "x"}}',
    "somebody unknown": json.dumps({"sub": str(UUID(int=3))}),
    "a role nobody gave": '{"role": "service_role"}',
    "organizations are no list": '{"organization_ids": "x"}',
    "organizations are no uuids": '{"organization_ids": ["x"]}',
}


def rights(name: str, role: Role = Role.AUTHENTICATED) -> Rights:
    return policy_of(Base.metadata.tables[name]).rights(role)


def key_of(name: str) -> list[str]:
    return [one.name for one in Base.metadata.tables[name].primary_key]


def may(columns: tuple[str, ...] | None, granted: Any, column: str) -> bool:
    return granted is not None and (columns is None or column in columns)


@asynccontextmanager
async def acting(connection: Any, claims: Any = ADA, role: str | None = None) -> AsyncIterator[Any]:
    """A transaction with these claims; a UUID stands for a well-formed user, and the organization of that id."""
    text = json.dumps({"sub": str(claims), "organization_ids": [str(claims)]}) if isinstance(claims, UUID) else claims
    transaction = connection.transaction()
    await transaction.start()
    try:
        if role:
            await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute("SELECT set_config('request.jwt.claims', $1, true)", text)
        yield connection
    finally:
        await transaction.rollback()


@pytest.fixture
async def whole_table(attacked: TestDatabase, connect: Any) -> Callable[[str], Awaitable[list[Any]]]:
    """All rows of a table as the service login sees them."""
    service = await connect(attacked.service_url)

    async def read(name: str) -> list[Any]:
        return sorted([tuple(row) for row in await service.fetch(f"SELECT * FROM {name}")], key=repr)

    return read


@tables
async def test_a_user_reads_exactly_their_own_rows(api: Any, victims: Any, name: str) -> None:
    shown = ", ".join(key_of(name))
    async with acting(api) as ada:
        if rights(name).read is None:
            with pytest.raises(REFUSED):
                await ada.fetch(f"SELECT 1 FROM {name}")
            return
        found = {tuple(row) for row in await ada.fetch(f"SELECT {shown} FROM {name}")}
    mine, all_ = victims.keys(name, ADA), victims.keys(name, ADA, EVE)
    assert found == (all_ if rights(name).read is anyone else mine), f"see __policy__ of {name}"


@pytest.mark.parametrize("name", [name for name in TABLES if rights(name).read not in {None, anyone}])
async def test_claims_that_name_nobody_see_nothing_and_never_fail(
    api: Any, name: str, subtests: pytest.Subtests
) -> None:
    given, key = rights(name), key_of(name)[0]
    for told, claims in BROKEN_CLAIMS.items():
        with subtests.test(told):
            async with acting(api, claims) as nobody:
                assert await nobody.fetch(f"SELECT {key} FROM {name}") == []
                if given.delete is not None:
                    assert await nobody.execute(f"DELETE FROM {name}") == "DELETE 0"
                if given.update is not None:
                    column = (given.update_columns or (key,))[0]
                    assert await nobody.execute(f"UPDATE {name} SET {column} = {column}") == "UPDATE 0"


@tables
async def test_strangers_read_only_what_says_so(api: Any, name: str) -> None:
    async with acting(api, "", role="anon") as anon:
        if rights(name, Role.ANON).read is not None:
            assert await anon.fetch(f"SELECT * FROM {name}")
        else:
            with pytest.raises(REFUSED):
                await anon.fetch(f"SELECT 1 FROM {name}")


@tables
async def test_columns_are_granted_as_the_policy_says_and_no_wider(api: Any, name: str) -> None:
    question = "SELECT has_column_privilege($1, $2::text, $3::text, $4)"
    for role in Role:
        given = rights(name, role)
        for column in Base.metadata.tables[name].c.keys():  # noqa: SIM118 - a column collection iterates columns
            for command in (Command.READ, Command.INSERT, Command.UPDATE):
                expected = may(given.columns(command), given.predicate(command), column)
                assert await api.fetchval(question, str(role), name, column, command) is expected, (role, column)
        for command in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            assert await api.fetchval("SELECT has_table_privilege($1, $2, $3)", str(role), name, command) is False
        deletes = await api.fetchval("SELECT has_table_privilege($1, $2, 'DELETE')", str(role), name)
        assert deletes is (given.delete is not None)


@tables
async def test_security_is_forced_and_the_login_owns_nothing(api: Any, name: str) -> None:
    row = await api.fetchrow(
        "SELECT relrowsecurity, relforcerowsecurity, pg_has_role(session_user, relowner, 'MEMBER') AS owns "
        "FROM pg_class WHERE oid = $1::regclass",
        name,
    )
    assert tuple(row) == (True, True, False)


@tables
async def test_nothing_a_user_writes_reaches_the_neighbour(api: Any, whole_table: Any, victims: Any, name: str) -> None:
    before = await whole_table(name)
    given = rights(name)
    for column in Base.metadata.tables[name].c.keys():  # noqa: SIM118
        async with acting(api) as ada:
            changing = f"UPDATE {name} SET {column} = {column}"
            if may(given.update_columns, given.update, column):
                assert await ada.execute(changing) == f"UPDATE {len(victims.keys(name, ADA))}"
            else:
                with pytest.raises(REFUSED):
                    await ada.execute(changing)
    async with acting(api) as ada:
        if given.delete is None:
            with pytest.raises(REFUSED):
                await ada.execute(f"DELETE FROM {name}")
        else:
            assert await ada.execute(f"DELETE FROM {name}") == f"DELETE {len(victims.keys(name, ADA))}"
    assert await whole_table(name) == before


@tables
async def test_a_row_is_inserted_in_ones_own_name_only(api: Any, victims: Any, name: str) -> None:
    given = rights(name)
    for owner, person in (("own", ADA), ("neighbour", EVE)):
        values = victims.values(name, person)
        if given.insert_columns is not None:
            values = {column: value for column, value in values.items() if column in given.insert_columns}
        marks = ", ".join(f"${n + 1}" for n in range(len(values)))
        adding = f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks})"
        async with acting(api) as ada:
            if given.insert is not None and owner == "own":
                assert await ada.execute(adding, *victims.raw(name, values)) == "INSERT 0 1"
            else:
                with pytest.raises(REFUSED):
                    await ada.execute(adding, *victims.raw(name, values))


@tables
async def test_an_upsert_on_the_neighbours_key_is_no_way_in(
    api: Any, whole_table: Any, victims: Any, name: str
) -> None:
    before = await whole_table(name)
    values = victims.row(name, EVE)
    key = ", ".join(key_of(name))
    marks = ", ".join(f"${n + 1}" for n in range(len(values)))
    columns = rights(name).update_columns or tuple(values)
    async with acting(api) as ada:
        with pytest.raises(REFUSED):
            await ada.execute(
                f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks}) "
                f"ON CONFLICT ({key}) DO UPDATE SET {columns[0]} = excluded.{columns[0]}",
                *victims.raw(name, values),
            )
    assert await whole_table(name) == before


@tables
async def test_copy_is_no_way_around(api: Any, victims: Any, name: str) -> None:
    given = rights(name)
    async with acting(api) as ada:
        sink = io.BytesIO()
        if given.read is None:
            with pytest.raises(REFUSED):
                await ada.copy_from_table(name, output=sink, columns=key_of(name))
        else:
            await ada.copy_from_table(name, output=sink, columns=key_of(name))
            # COPY reads a partitioned table without its partitions.
            partitioned = Base.metadata.tables[name].dialect_options["postgresql"].get("partition_by")
            seen = () if partitioned else (ADA, EVE) if given.read is anyone else (ADA,)
            assert len(sink.getvalue().splitlines()) == len(victims.keys(name, *seen))
    async with acting(api) as ada:
        with pytest.raises((REFUSED, asyncpg.FeatureNotSupportedError)):
            await ada.copy_to_table(name, source=io.BytesIO(b""), columns=key_of(name))
