"""Somebody's own tables behave like ours: one's own rows, never the neighbour's, all or nothing, on both databases."""

import sqlite3
from contextlib import closing
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import select

from tenantry import Product
from tenantry.holders.models import Holders
from tenantry.identity.models import Users
from tenantry.kernel import Settings
from tenantry.kernel.database import statement
from tenantry.operations import examine
from tenantry.testing import AppKit, TestDatabase

LOST = "The index ix_notes_holder_id_notebook_id is missing"
HOLDERS = statement(select(Users.email, Holders.id).join(Holders, Holders.user_id == Users.id), lambda *row: row)


@pytest.fixture
async def ada(jotter: AppKit) -> Any:
    return await jotter.sign_in("ada")


@pytest.fixture
async def grace(jotter: AppKit) -> Any:
    return await jotter.sign_in("grace")


async def add(person: Any, title: str, **more: Any) -> str:
    """A notebook with one note; answers its id."""
    made = await person.post("/v1/notebooks", json={"title": title, **more})
    assert made.status_code == 201, made.text
    notebook: str = made.json()["id"]
    noted = await person.post(f"/v1/notebooks/{notebook}/notes", json={"title": f"in {title}"})
    assert noted.status_code == 201, noted.text
    return notebook


async def titles(person: Any) -> list[tuple[str, list[str]]]:
    """What a person sees, through a session of a reading unit."""
    return [(one["title"], one["notes"]) for one in (await person.get("/v1/notebooks")).json()["items"]]


async def holders(jotter: AppKit) -> dict[str, Any]:
    """Each person's holder, by the beginning of the e-mail address."""
    async with jotter.system.service(writes=False) as ctx:
        return {email.partition("@")[0]: holder for email, holder in await ctx.db.rows(HOLDERS)}


async def test_own_rows_are_seen_and_the_neighbours_are_not(ada, grace):
    await add(ada, "Engine")
    await add(grace, "Compiler")
    assert await titles(ada) == [("Engine", ["in Engine"])]
    assert await titles(grace) == [("Compiler", ["in Compiler"])]


async def test_the_card_is_on_the_dashboard(ada, grace):
    await add(ada, "Engine")
    assert "<li>Engine</li>" in (await ada.get("/dashboard")).text
    assert "Engine" not in (await grace.get("/dashboard")).text


async def test_404_the_neighbours_notebook(ada, grace):
    theirs = await add(grace, "Compiler")
    refused = await ada.post(f"/v1/notebooks/{theirs}/notes", json={"title": "x"})
    absent = await ada.post(f"/v1/notebooks/{uuid4()}/notes", json={"title": "x"})
    assert (refused.status_code, absent.status_code) == (404, 404)
    assert refused.json()["code"] == absent.json()["code"] == "jotter.notebook_not_found"


async def test_an_insert_for_the_neighbour_is_refused(jotter, ada, grace):
    own = await add(ada, "Engine")
    theirs = str((await holders(jotter))["grace"])
    # What a policy refuses is a mistake in the program: it must not depend on what a caller sends.
    through_db = await ada.post("/v1/notebooks", json={"title": "x", "holder_id": theirs})
    through_session = await ada.post(f"/v1/notebooks/{own}/notes", json={"title": "x", "holder_id": theirs})
    assert (through_db.status_code, through_session.status_code) == (500, 500)
    assert (await titles(grace), await titles(ada)) == ([], [("Engine", ["in Engine"])])


async def test_a_problem_undoes_what_was_flushed(ada):
    notebook = await add(ada, "Engine")
    refused = await ada.post(f"/v1/notebooks/{notebook}/notes", json={"title": "forbidden"})
    assert (refused.status_code, refused.json()["code"]) == (422, "jotter.title_forbidden")
    assert await titles(ada) == [("Engine", ["in Engine"])]


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_row_level_security_alone_keeps_the_tenants_apart(jotter, ada):
    await add(ada, "Engine")
    connection = await asyncpg.connect(jotter.database.api_url)
    try:
        assert await connection.fetch("SELECT * FROM notes") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE notes SET holder_id = id")
    finally:
        await connection.close()


@pytest.fixture
def settings(database: TestDatabase) -> Settings:
    return Settings(database_url=database.api_url, service_url=database.service_url, owner_url=database.owner_url)


async def as_owner(database: TestDatabase, sql: str) -> None:
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(sql)
        return
    connection: Any = await asyncpg.connect(database.owner_url)
    await connection.execute(sql)
    await connection.close()


async def test_the_doctor_misses_an_index_of_their_own_and_its_way_out_works(
    product: Product, settings: Settings, database: TestDatabase
) -> None:
    async def errors() -> list[Any]:
        return [one for one in (await examine(product, settings)).findings if one.level == "error"]

    assert await errors() == []
    await as_owner(database, "DROP INDEX ix_notes_holder_id_notebook_id")
    (found,) = await errors()
    assert (found.where, found.problem.startswith(LOST)) == ("database.notes", True)
    await as_owner(database, found.fix.removeprefix("Run as the owner: "))
    assert await errors() == []


async def test_the_doctor_finds_another_revision_where_the_module_is_left_out(
    product: Product, settings: Settings
) -> None:
    # Its tables are in the metadata still; what is told is the revision, not that everything differs.
    without = Product(product.name, sign_in=product.sign_in, plans=product.plans)
    found = await examine(without, settings)
    assert ["at revision" in one.problem for one in found.findings if one.level == "error"] == [True]
