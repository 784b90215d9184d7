"""Every column type keeps what it was given, on both databases, and refuses what either of them cannot keep."""

import math
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, Unstorable
from tenantry.kernel.database.types import write_time
from tenantry.kernel.policies import Role
from tenantry.kernel.sql import any_of

LOWEST, HIGHEST = -(2**63), 2**63 - 1

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
numbers = st.one_of(st.integers(-(2**90), 2**90), st.floats(-(2.0**53), 2.0**53))
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
VALUES = {
    "other": st.uuids(),
    "at": st.datetimes(timezones=st.just(UTC)),
    "data": documents,
    "flag": st.booleans(),
    "whole": st.integers(LOWEST, HIGHEST),
    "raw": st.binary(max_size=100),
    "words": texts,
}


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    """Write, change, read and find a sample by each of its columns."""
    samples = tables.Samples
    columns = list(samples.__table__.c)
    return SimpleNamespace(
        add=statement(insert(samples).values({one.name: param(one.name) for one in columns})),
        change=statement(
            update(samples)
            .where(samples.id == param("which"))
            .values({one.name: param(one.name) for one in columns if one.name != "id"})
        ),
        one={one.name: statement(select(one).where(samples.id == param("id"))) for one in columns},
        found={
            one.name: statement(select(samples.id).where(one == param("value")))
            for one in columns
            if one.name != "data"
        },
    )


@many
@given(values=st.fixed_dictionaries({name: st.one_of(st.none(), made) for name, made in VALUES.items()}))
async def test_values_come_back_and_are_found(bench: Any, sql: SimpleNamespace, values: dict[str, Any]) -> None:
    user = new_id()
    unit = bench.user(user, writes=True)
    assert await unit.run(sql.add, id=user, **values) == 1
    assert await unit.run(sql.change, which=user, **values) == 1
    await unit.commit()
    reading = bench.user(user)
    for name, value in values.items():
        found = await reading.one(sql.one[name], id=user)
        assert found == value
        assert isinstance(found, type(value)) or name == "data"
        if value is not None and name != "data":
            assert user in await reading.rows(sql.found[name], value=value)


async def test_a_time_of_another_zone_is_kept_as_utc(bench: Any, sql: SimpleNamespace) -> None:
    user, east = new_id(), timezone(timedelta(hours=5, minutes=30))
    given_time = datetime(2026, 1, 1, 3, 0, 0, 1, tzinfo=east)
    unit = bench.user(user, writes=True)
    await unit.run(sql.add, **{**dict.fromkeys(VALUES), "id": user, "at": given_time})
    found = await unit.one(sql.one["at"], id=user)
    await unit.rollback()
    assert found == given_time
    assert found.utcoffset() == timedelta()


NESTED_NUL = {"a": [{"b": "x\0y"}]}
UNSTORABLE = {
    "words-nul": ("words", "a\0b"),
    "words-only-nul": ("words", "\0"),
    "words-surrogate": ("words", "\ud800"),
    "data-nul": ("data", "\0"),
    "data-nested-nul": ("data", NESTED_NUL),
    "data-nul-key": ("data", {"\0": 1}),
    "data-nul-behind-backslash": ("data", "\\\0"),
    "data-surrogate": ("data", ["\udfff"]),
    "whole-too-large": ("whole", HIGHEST + 1),
    "whole-too-small": ("whole", LOWEST - 1),
}


@pytest.mark.parametrize("case", UNSTORABLE)
async def test_422_what_one_database_cannot_keep_is_refused_by_both(
    bench: Any, sql: SimpleNamespace, case: str
) -> None:
    name, value = UNSTORABLE[case]
    user = new_id()
    unit = bench.user(user, writes=True)
    with pytest.raises(Unstorable):
        await unit.run(sql.add, **{**dict.fromkeys(VALUES), "id": user, name: value})
    with pytest.raises(RuntimeError, match="rolled back"):
        await unit.one(sql.one["words"], id=user)
    await unit.rollback()
    reading = bench.user(user)
    if name != "data":
        with pytest.raises(Unstorable):
            await reading.rows(sql.found[name], value=value)
        assert await reading.one_or_none(sql.one["words"], id=user) is None


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\", "a\\", '"', "\u0001", "\U0001f600", "e\u0301"])
async def test_text_that_only_looks_like_nul_is_kept(bench: Any, sql: SimpleNamespace, text: str) -> None:
    user = new_id()
    unit = bench.user(user, writes=True)
    await unit.run(sql.add, **{**dict.fromkeys(VALUES), "id": user, "words": text, "data": {text: [text]}})
    assert await unit.one(sql.one["words"], id=user) == text
    assert await unit.one(sql.one["data"], id=user) == {text: [text]}
    await unit.rollback()


async def test_a_time_without_a_zone_is_a_mistake_of_the_program(bench: Any, sql: SimpleNamespace) -> None:
    user = new_id()
    unit = bench.user(user, writes=True)
    with pytest.raises(ValueError, match="without a zone"):
        await unit.run(sql.add, **{**dict.fromkeys(VALUES), "id": user, "at": datetime(2026, 1, 1)})  # noqa: DTZ001
    await unit.rollback()


@pytest.mark.parametrize(
    ("name", "value"),
    [("other", "nonsense"), ("at", "now"), ("whole", "1"), ("words", 5), ("raw", "text"), ("flag", "x")],
)
async def test_a_value_of_another_type_is_refused_and_nothing_is_written(
    bench: Any, sql: SimpleNamespace, name: str, value: Any
) -> None:
    user = new_id()
    unit = bench.user(user, writes=True)
    with pytest.raises((TypeError, ValueError, AttributeError, Unstorable, CheckViolation)):
        await unit.run(sql.add, **{**dict.fromkeys(VALUES), "id": user, name: value})
    await unit.rollback()
    assert await bench.user(user).one_or_none(sql.one["words"], id=user) is None


@many
@given(inside=st.lists(st.uuids(), max_size=5), outside=st.uuids())
async def test_a_list_is_one_value_however_long(
    bench: Any, tables: SimpleNamespace, inside: list[UUID], outside: UUID
) -> None:
    by_other = statement(select(tables.Samples.other).where(any_of(tables.Samples.other, "others")))
    add = statement(insert(tables.Samples).values(id=param("id"), other=param("other")))
    unit = bench.serving()
    for other in {*inside, outside}:
        await unit.run(add, id=new_id(), other=other)
    assert set(await unit.rows(by_other, others=inside)) == set(inside)
    assert set(await unit.rows(by_other, others=(outside,))) == {outside}
    await unit.rollback()


async def test_a_list_of_texts_finds_every_text_and_refuses_nul(bench: Any, tables: SimpleNamespace) -> None:
    by_words = statement(select(tables.Samples.words).where(any_of(tables.Samples.words, "texts")))
    add = statement(insert(tables.Samples).values(id=param("id"), words=param("words")))
    odd = ["", "a,b", '{"a"}', "it's", "\\", "NULL", "ü", "\n"]
    unit = bench.serving()
    for words in odd:
        await unit.run(add, id=new_id(), words=words)
    assert sorted(await unit.rows(by_words, texts=odd)) == sorted(odd)
    assert await unit.rows(by_words, texts=[]) == []
    with pytest.raises(Unstorable):
        await unit.rows(by_words, texts=["a\0"])
    await unit.rollback()


async def test_numbers_without_a_value_in_json_become_null_on_both(bench: Any, sql: SimpleNamespace) -> None:
    user = new_id()
    unit = bench.user(user, writes=True)
    await unit.run(sql.add, **{**dict.fromkeys(VALUES), "id": user, "data": [math.nan, math.inf]})
    assert await unit.one(sql.one["data"], id=user) == [None, None]
    await unit.rollback()


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("column", ["at", "data", "whole", "raw", "words"])
async def test_sqlite_tables_are_strict(bench: Any, tables: SimpleNamespace, column: str) -> None:
    wrong = {"whole": "'x'", "raw": "5"}.get(column, "x'00'")
    with pytest.raises(sqlite3.IntegrityError, match="cannot store"):
        bench.api.writer.execute(f"INSERT INTO samples (id, {column}) VALUES ('a', {wrong})")
    described = bench.api.reader.execute("PRAGMA table_list").fetchall()
    ours = {one[1] for one in described if one[5]}
    assert ours >= set(tables.metadata.tables)
    assert {one[1] for one in described if not one[5]} <= {"sqlite_schema", "sqlite_temp_schema", "tenantry_schema"}


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_flag_is_true_or_false_and_nothing_else(bench: Any) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="flag_flag"):
        bench.api.writer.execute("INSERT INTO samples (id, flag) VALUES ('a', 2)")


async def test_a_flag_is_asked_for_in_every_way(bench: Any, tables: SimpleNamespace) -> None:
    samples = tables.Samples
    add = statement(insert(samples).values(id=param("id"), flag=param("flag")))
    unit = bench.serving()
    ids = {flag: new_id() for flag in (True, False, None)}
    for flag, sample in ids.items():
        await unit.run(add, id=sample, flag=flag)
    for condition, expected in (
        (samples.flag, {True}),
        (~samples.flag, {False}),
        (samples.flag.is_(True), {True}),
        (samples.flag.is_not(True), {False, None}),
        (samples.flag == True, {True}),  # noqa: E712 - SQL, not Python
        (samples.flag == param("flag"), {True}),
        (samples.flag.is_(None), {None}),
    ):
        asked = statement(select(samples.id).where(condition))
        given = {"flag": True} if "flag" in asked.compiled(bench.kind, Role.SERVICE).names else {}
        assert set(await unit.rows(asked, **given)) == {ids[flag] for flag in expected}
    await unit.rollback()


class Later(datetime):
    """A time of somebody else's library."""


offsets = st.integers(-1_400, 1_400).map(lambda minutes: timezone(timedelta(minutes=minutes)))


# An offset moves the first and the last day of all out of the calendar.
inner_years = {"min_value": datetime(2, 1, 1), "max_value": datetime(9998, 1, 1)}  # noqa: DTZ001 - as hypothesis wants


@given(at=st.datetimes(**inner_years, timezones=offsets))
def test_a_time_in_sqlite_has_one_width_whatever_its_parts(at: datetime) -> None:
    for same in (at, at.replace(microsecond=0), Later.fromisoformat(at.isoformat())):
        text = write_time(same)
        assert len(text) == 27
        assert text.endswith("Z")
        assert datetime.fromisoformat(text) == same
