"""Many rows are read column by column, one row value by value: both give the same, on both databases."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, true, update

from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import Unstorable
from tenantry.kernel.database.types import Id


class Sample(msgspec.Struct, frozen=True):
    id: UUID
    other: UUID | None
    at: datetime | None
    data: Any
    flag: bool | None
    whole: int | None
    raw: bytes | None
    words: str | None


FULL = {
    "other": UUID(int=5),
    "at": datetime(2026, 3, 14, 1, 2, 3, 4, UTC),
    "data": {"a": [1, None, "ü"]},
    "flag": False,
    "whole": 0,
    "raw": b"",
    "words": "",
}
EMPTY: dict[str, Any] = dict.fromkeys(FULL)
# A row with every value, one with none, and each value alone or missing by itself.
ROWS = [FULL, EMPTY, *({**EMPTY, name: FULL[name]} for name in FULL), *({**FULL, name: None} for name in FULL)]


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    samples = tables.Samples
    columns = list(samples.__table__.c)
    one = select(*columns).where(samples.id == param("id"))
    return SimpleNamespace(
        columns=[column.name for column in columns],
        add=statement(insert(samples).values({column.name: param(column.name) for column in columns})),
        one=statement(one, Sample),
        all=statement(select(*columns).order_by(samples.id), Sample),
        each={column.name: statement(select(column).order_by(samples.id)) for column in columns},
        # As its owner: what comes back has the check of the policy behind it.
        touch=statement(update(samples).where(true()).values(whole=samples.whole).returning(*columns), Sample),
    )


async def stored(unit: Any, sql: Any, rows: list[dict[str, Any]]) -> list[Sample]:
    made = [Sample(new_id(), **row) for row in rows]
    for row in made:
        await unit.run(sql.add, **msgspec.structs.asdict(row))
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(picked=st.lists(st.sampled_from(ROWS), max_size=6))
async def test_any_rows_come_back_as_they_were(bench: Any, sql: Any, picked: list[dict[str, Any]]) -> None:
    unit = bench.serving()
    made = await stored(unit, sql, picked)
    assert await unit.rows(sql.all) == made
    assert [await unit.one(sql.one, id=row.id) for row in made] == made
    for name in sql.columns:
        assert await unit.rows(sql.each[name]) == [getattr(row, name) for row in made]
    await unit.rollback()


async def test_every_value_and_every_none_has_its_own_type(bench: Any, sql: Any) -> None:
    unit = bench.serving()
    made = await stored(unit, sql, ROWS)
    found = await unit.rows(sql.all)
    assert found == made
    assert {type(row.flag) for row in found} == {bool, type(None)}
    assert {row.at.utcoffset() for row in found if row.at is not None} == {timedelta()}
    await unit.rollback()


async def test_the_check_of_the_policy_is_no_part_of_a_row(bench: Any, sql: Any) -> None:
    user = new_id()
    for rows in (ROWS[:1], ROWS):
        writing = bench.serving()
        made = await stored(writing, sql, rows[:1])
        await writing.commit()
        for row in made:
            unit = bench.user(row.id, writes=True)
            assert await unit.rows(sql.touch) == [row]
            assert await unit.one_or_none(sql.touch) == row
            await unit.rollback()
    assert await bench.user(user).rows(sql.all) == []


# What STRICT lets into a column of text, and no program of ours writes.
ILL = {"id": "nonsense", "other": "x", "at": "yesterday", "data": "{"}


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("beside", [None, "good"])
@pytest.mark.parametrize("name", ILL)
async def test_a_value_that_is_none_of_its_type_is_told_and_not_handed_on(
    bench: Any, sql: Any, name: str, beside: str | None
) -> None:
    unit = bench.serving()
    await stored(unit, sql, [EMPTY, FULL] if beside else [EMPTY])
    await unit.commit()
    bench.api.writer.execute(f"UPDATE samples SET {name} = ? WHERE other IS NULL", [ILL[name]])
    reading = bench.serving(writes=False)
    with pytest.raises(ValueError, match=r"\w"):
        await reading.rows(sql.all)
    with pytest.raises(ValueError, match=r"\w"):
        await reading.rows(sql.each[name])


@pytest.mark.parametrize("wrong", ["0198c2f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f", 5, b"x" * 16, [], True])
async def test_what_is_no_id_is_not_written_as_one(bench: Any, sql: Any, wrong: Any) -> None:
    if bench.kind == "postgresql" and isinstance(wrong, str):
        pytest.skip("the driver reads an id's canonical text too")
    unit = bench.serving()
    with pytest.raises((TypeError, Unstorable)):
        await unit.run(sql.add, **{**EMPTY, "id": wrong})
    await unit.rollback()


def test_a_type_that_reads_a_value_its_own_way_reads_many_of_them_so() -> None:
    class Short(Id):
        readers = {"sqlite": lambda text: text[:8]}

    class Same(Id):
        pass

    assert (Short.column_readers, Same.column_readers) == ({}, Id.column_readers)
    assert (Short.read_as, Same.read_as) == ({}, Id.read_as)
