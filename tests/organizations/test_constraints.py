"""What the database itself refuses, by raw SQL as its owner: no organization without its owner, no foreign session."""

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg
import pytest

from organizations.people import invited, members, organization, somebody
from tenantry.testing import AppKit, TestDatabase

CHOOSE = "INSERT INTO current_organizations (session_id, user_id, organization_id) VALUES "
JOIN = "INSERT INTO memberships (organization_id, user_id, role) VALUES "
OWNS = "UPDATE organizations SET owner_id = "
REFUSED = {
    "an organization without a member": (
        "foreign key",
        "INSERT INTO organizations (id, name, owner_id) VALUES ('{new}', 'X', '{ada}')",
    ),
    "an owner who only admins": ("foreign key", "UPDATE memberships SET role = 'admin' WHERE user_id = '{ada}'"),
    "an owner who is a member only": ("foreign key", OWNS + "'{grace}' WHERE id = '{org}'"),
    "an owner of another organization": ("foreign key", OWNS + "'{alan}' WHERE id = '{org}'"),
    "the reference bent": ("check", "UPDATE organizations SET owner_role = 'admin' WHERE id = '{org}'"),
    "a second owner": ("unique", "UPDATE memberships SET role = 'owner' WHERE user_id = '{grace}'"),
    "a second owner who comes": ("unique", JOIN + "('{org}', '{alan}', 'owner')"),
    "another role": ("check", "UPDATE memberships SET role = 'king' WHERE user_id = '{grace}'"),
    "a session that works where its person does not belong": (
        "foreign key",
        CHOOSE + "('{alans_session}', '{alan}', '{org}')",
    ),
    "a session of somebody else": ("foreign key", CHOOSE + "('{alans_session}', '{grace}', '{org}')"),
    "two invitations of one address": (
        "unique",
        "UPDATE invitations SET email = 'ONE@example.com' WHERE email = 'two@example.com'",
    ),
    "an invitation to own it": ("check", "UPDATE invitations SET role = 'owner'"),
    "an invitation decided never": ("check", "UPDATE invitations SET status = 'accepted'"),
}
ALLOWED = {
    "handing over, whole": [
        "UPDATE organizations SET owner_id = '{grace}' WHERE id = '{org}'",
        "UPDATE memberships SET role = 'admin' WHERE organization_id = '{org}' AND user_id = '{ada}'",
        "UPDATE memberships SET role = 'owner' WHERE organization_id = '{org}' AND user_id = '{grace}'",
    ],
    "its owner's going, and it goes too": [
        "DELETE FROM memberships WHERE role = 'owner' AND organization_id = '{org}'"
    ],
}


FORBIDDEN = (
    "UPDATE memberships SET role = 'admin'",
    "DELETE FROM organizations",
    "INSERT INTO current_organizations (session_id, user_id, organization_id) SELECT NULL, NULL, NULL",
    "SELECT token_hash FROM invitations",
)


async def as_owner(database: TestDatabase, statements: list[str]) -> str | None:
    """Run them in one transaction; what the database says against it."""
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as connection:
            connection.create_function("tenantry_now", 0, lambda: "2026-03-14T12:00:00.000000Z")
            connection.execute("PRAGMA foreign_keys = ON")
            try:
                with connection:
                    for one in statements:
                        connection.execute(one)
            except sqlite3.IntegrityError as refused:
                return str(refused)
            return None
    there: Any = await asyncpg.connect(database.owner_url)
    try:
        async with there.transaction():
            for one in statements:
                await there.execute(one)
    except asyncpg.IntegrityConstraintViolationError as refused:
        return str(refused)
    finally:
        await there.close()
    return None


async def test_the_database_keeps_the_owner_and_the_session_where_they_belong(kit: AppKit) -> None:
    ada, grace, alan = [await somebody(kit, name) for name in ("Ada", "Grace", "Alan")]
    acme = await organization(kit, ada, {"member": grace})
    await organization(kit, alan)
    for address in ("one@example.com", "two@example.com"):
        await invited(kit, acme, address, ada)
    ids = {"org": acme.id, "ada": ada.id, "grace": grace.id, "alan": alan.id, "alans_session": alan.session_id}
    named = {**ids, "new": ada.session_id}

    async def run(statements: list[str]) -> str | None:
        return await as_owner(kit.database, [one.format(**named) for one in statements])

    for what, (kind, refused) in REFUSED.items():
        assert kind in (await run([refused]) or "").lower(), what
    assert await members(kit, acme.id) == {ada.id: "owner", grace.id: "member"}
    assert [await run(statements) for statements in ALLOWED.values()] == [None, None]
    # The last one took the owner away, and with that everybody.
    assert await members(kit, acme.id) == {}


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_row_level_security_alone_closes_every_table(kit: AppKit) -> None:
    """Raw SQL on the API login: a stranger, a member, and one who only says to be a member."""
    ada, grace, alan = [await somebody(kit, name) for name in ("Ada", "Grace", "Alan")]
    acme = await organization(kit, ada, {"member": grace})
    await invited(kit, acme, "one@example.com", ada)
    there: Any = await asyncpg.connect(kit.database.api_url)

    async def seen(who: Any, organizations: str) -> list[int]:
        claims = f'{{"role":"authenticated","sub":"{who}","organization_ids":[{organizations}]}}'
        async with there.transaction():
            await there.execute("SET LOCAL ROLE authenticated")
            await there.execute("SELECT set_config('request.jwt.claims', $1, true)", claims)
            tables = {"organizations": "*", "memberships": "*", "current_organizations": "*", "invitations": "id"}
            return [len(await there.fetch(f"SELECT {what} FROM {one}")) for one, what in tables.items()]

    try:
        assert await seen(alan.id, "") == [0, 0, 0, 0]
        assert await seen(grace.id, f'"{acme.id}"') == [1, 2, 0, 1]
        # Without the organization in the claims nothing but one's own membership is there.
        assert await seen(grace.id, "") == [0, 1, 0, 0]
        for refused in FORBIDDEN:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await there.execute(f"SET ROLE authenticated; {refused}")
            await there.execute("RESET ROLE")
    finally:
        await there.close()
