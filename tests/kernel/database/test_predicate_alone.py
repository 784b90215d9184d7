"""The policy that is compiled into each statement, by itself: on SQLite, and on PostgreSQL without row level security.

Every table of the metadata is walked. Grants stay, as they would if somebody switched row level security off.
"""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update

from tenantry.kernel.database import Base, statement
from tenantry.kernel.database.failures import PolicyViolation
from tenantry.kernel.policies import PolicyRefused, Rights, Role, anyone, policy_of

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "predicate-alone"])
ADA, EVE = UUID(int=1), UUID(int=2)
tables = pytest.mark.parametrize("name", [table.name for table in Base.metadata.sorted_tables])


def rights(name: str, role: Role = Role.AUTHENTICATED) -> Rights:
    return policy_of(Base.metadata.tables[name]).rights(role)


def reading(name: str) -> Any:
    return statement(select(*Base.metadata.tables[name].primary_key), lambda *key: key)


async def left(bench: Any, name: str) -> set[tuple[Any, ...]]:
    whole = statement(select(*Base.metadata.tables[name].c), lambda *row: repr(row))
    return set(await bench.serving(writes=False).rows(whole))


@tables
async def test_reading(bench: Any, people: Any, name: str) -> None:
    await people.fill(bench.serving(), ADA, EVE)
    unit = bench.user(ADA, ADA)
    if rights(name).read is None:
        with pytest.raises(PolicyRefused):
            await unit.rows(reading(name))
        return
    expected = people.keys(name, ADA, EVE) if rights(name).read is anyone else people.keys(name, ADA)
    assert set(await unit.rows(reading(name))) == expected
    stranger = bench.anonymous()
    if rights(name, Role.ANON).read is None:
        with pytest.raises(PolicyRefused):
            await stranger.rows(reading(name))
    else:
        assert await stranger.rows(reading(name))


@tables
async def test_changing_and_deleting(bench: Any, people: Any, name: str) -> None:
    await people.fill(bench.serving(), ADA, EVE)
    table, given, before = Base.metadata.tables[name], rights(name), await left(bench, name)
    expressions = [(update(table).values({one: one}), given.update, given.update_columns, one.name) for one in table.c]
    for expression, right, columns, column in [*expressions, (delete(table), given.delete, None, "")]:
        unit = bench.user(ADA, ADA, writes=True)
        if right is not None and (columns is None or column in columns):
            assert await unit.run(statement(expression)) == len(people.keys(name, ADA))
        else:
            with pytest.raises(PolicyRefused):
                await unit.run(statement(expression))
        await unit.rollback()
    assert await left(bench, name) == before


@tables
async def test_inserting(bench: Any, people: Any, name: str, database_kind: str) -> None:
    await people.fill(bench.serving(), ADA, EVE)
    given = rights(name)
    for person in (ADA, EVE):
        values = people.values(name, person)
        if given.insert_columns is not None:
            values = {column: value for column, value in values.items() if column in given.insert_columns}
        adding = statement(insert(Base.metadata.tables[name]).values(values))
        unit = bench.user(ADA, ADA, writes=True)
        if given.insert is None:
            with pytest.raises(PolicyRefused):
                await unit.run(adding)
        elif person == ADA:
            assert await unit.run(adding) == 1
        elif given.read is not None or database_kind == "sqlite":
            with pytest.raises(PolicyViolation):
                await unit.run(adding)
        await unit.rollback()
