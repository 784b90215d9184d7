"""The predicate alone, in statements that ask for everything: a neighbour finds nothing, and nobody writes."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from organizations.people import Somebody, ask, invited, organization, somebody
from tenantry.kernel.context import Context
from tenantry.kernel.database import statement
from tenantry.kernel.policies import PolicyRefused
from tenantry.organizations import actions, queries
from tenantry.organizations.models import CurrentOrganizations, Invitations, Memberships, Organizations
from tenantry.testing import AppKit

_EVERYTHING = [
    statement(select(column))
    for column in (Organizations.id, Memberships.user_id, CurrentOrganizations.session_id, Invitations.id)
]
_FORBIDDEN = [
    statement(update(Memberships).values(role="owner")),
    statement(update(Organizations).values(name="mine")),
    statement(delete(CurrentOrganizations)),
    statement(select(Invitations.token_hash)),
]


def knowing(who: Somebody, *organizations: Any) -> Context:
    """Their context, as the session's look-up makes it."""
    ctx = who.ctx
    actor = type(ctx.actor)("user", user_id=who.id, session_id=who.session_id, organization_ids=organizations)
    return Context(ctx.runtime, actor, ctx.origin)


async def test_a_neighbour_sees_nothing_and_a_member_writes_nothing(kit: AppKit) -> None:
    ada, grace, alan = [await somebody(kit, name) for name in ("Ada", "Grace", "Alan")]
    acme = await organization(kit, ada, {"member": grace})
    other = await organization(kit, alan)
    await actions.choose(grace.ctx, acme.id)
    invitation, _token = await invited(kit, acme, "one@example.com", ada)
    counts = {
        "neighbour": (alan, (other.id,), [1, 1, 0, 0]),
        "member": (grace, (acme.id,), [1, 2, 1, 1]),
        "nobody's": (await somebody(kit, "Edsger"), (), [0, 0, 0, 0]),
    }
    for who, known, expected in counts.values():
        reading = knowing(who, *known).reading()
        assert [len(await reading.db.rows(everything)) for everything in _EVERYTHING] == expected
    reading = knowing(alan, other.id).reading()
    # Asked for as hers, too: the policy goes by who asks.
    assert await queries.organizations.of_user(reading.db, ada.id) == []
    assert await queries.organizations.by_id(reading.db, acme.id) is None
    assert await queries.invitations.one(reading.db, acme.id, invitation.id) is None
    assert await queries.invitations.page(reading.db, acme.id) == []
    assert [one.name for one in await queries.organizations.of_user(reading.db, alan.id)] == ["Acme"]
    for forbidden in _FORBIDDEN:
        with pytest.raises(PolicyRefused):
            async with knowing(ada, acme.id).unit() as working:
                await working.db.rows(forbidden)


async def test_one_takes_along_where_one_belongs_and_whom_one_invited(kit: AppKit) -> None:
    ada, grace = [await somebody(kit, name) for name in ("Ada", "Grace")]
    acme = await organization(kit, ada, {"admin": grace})
    await invited(kit, acme, "one@example.com", grace)
    exports = {one.name: one for module in kit.runtime.modules for one in module.exports}
    told = {}
    for who in (ada, grace):
        reading = knowing(who, acme.id).reading()
        (belongs,) = await exports["organizations"].collect(reading)
        told[who.id] = (belongs.name, belongs.role, len(await exports["invitations_sent"].collect(reading)))
    assert told == {ada.id: ("Acme", "owner", 0), grace.id: ("Acme", "admin", 1)}


async def test_t_10_lists_are_paged_and_what_belongs_to_a_row_costs_no_statement(
    kit: AppKit, statements: Callable[..., Any]
) -> None:
    ada, client = await somebody(kit, "Ada"), await kit.client()
    made = [await organization(kit, ada, name=f"Number {number}") for number in range(3)]
    acme = made[0]
    for number in range(3):
        await invited(kit, acme, f"{number}@example.com", ada)
    lists = {
        "/v1/organizations": "id",
        f"/v1/organizations/{acme.id}/invitations": "id",
        f"/v1/organizations/{acme.id}/members": "user_id",
    }
    for path, key in lists.items():
        with statements(kit) as ran:
            await ask(client, ada, "GET", f"{path}?limit=1")
            of_one = ran()
            whole = (await ask(client, ada, "GET", path)).json()
            # Who asks, what they may do there, and the rows: as many statements for three as for one.
            assert (ran() == 2 * of_one, of_one <= 3) == (True, True), path
        found, cursor = [], None
        while cursor is not None or not found:
            at = f"&cursor={cursor}" if cursor else ""
            page = (await ask(client, ada, "GET", f"{path}?limit=1{at}")).json()
            found, cursor = found + page["items"], page["next_cursor"]
        assert found == whole["items"]
        assert len({one[key] for one in found}) == (1 if key == "user_id" else 3)
        assert (await ask(client, ada, "GET", f"{path}?offset=1")).json()["items"] == whole["items"][1:]
