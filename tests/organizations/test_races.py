"""Two at once, in every pair that could leave an organization without its owner or let too many in."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from organizations.people import Somebody, invited, members, organization, seats, somebody, team_product
from tenantry import Organizations
from tenantry.identity.actions.people import delete_user
from tenantry.kernel import Problem
from tenantry.organizations import actions, queries
from tenantry.organizations.rows import Organization
from tenantry.testing import AppKit

ROUNDS = 3
Outcome = str | None
Pair = tuple[Awaitable[Any], Awaitable[Any]]


class Scene:
    """An organization with its owner, two admins, and two who are invited: a fourth and a fifth."""

    def __init__(self, kit: AppKit, acme: Organization, people: list[Somebody], tokens: list[str]) -> None:
        self.kit, self.acme, self.tokens = kit, acme, tokens
        self.owner, self.one, self.other, self.fourth, self.fifth = people

    async def close(self, who: Somebody) -> None:
        async with self.kit.system.service() as ctx:
            await delete_user(ctx, who.id, reason="test")

    async def resend(self, which: int) -> None:
        async with self.kit.system.service(writes=False) as ctx:
            offered = await queries.invitations.by_token(ctx.db, self.tokens[which])
        assert offered is not None
        await actions.resend(self.one.ctx, self.acme.id, offered.invitation.id)


async def scene(kit: AppKit) -> Scene:
    people = [await somebody(kit, name) for name in ("Owner", "One", "Other", "Fourth", "Fifth")]
    acme = await organization(kit, people[0])
    async with kit.system.service() as ctx:
        for admin in people[1:3]:
            await queries.members.add(ctx.db, acme.id, admin.id, "admin")
    return Scene(kit, acme, people, [(await invited(kit, acme, one.email, people[0]))[1] for one in people[3:]])


NOT_FOUND, STAYS, FULL = "organizations.not_found", "organizations.owner_stays", "organizations.seats_full"
NO_MEMBER, OVER = "organizations.member_not_found", "organizations.invitation_over"
NO_INVITATION, PENDING = "organizations.invitation_not_found", "organizations.invitation_pending"
OWNED, MANY, ENDED = "organizations.still_owned", "organizations.too_many", "request.unauthenticated"
NOT_ALLOWED = "request.forbidden"

RACES: dict[str, tuple[Callable[[Scene], Pair], set[tuple[Outcome, Outcome]]]] = {
    "two admins remove each other": (
        lambda at: (
            actions.remove(at.one.ctx, at.acme.id, at.other.id),
            actions.remove(at.other.ctx, at.acme.id, at.one.id),
        ),
        {(None, NOT_FOUND), (NOT_FOUND, None)},
    ),
    "two admins demote each other": (
        lambda at: (
            actions.change_role(at.one.ctx, at.acme.id, at.other.id, "member"),
            actions.change_role(at.other.ctx, at.acme.id, at.one.id, "member"),
        ),
        {(None, NOT_ALLOWED), (NOT_ALLOWED, None)},
    ),
    "two accept the last seat": (
        lambda at: (actions.accept(at.fourth.ctx, at.tokens[0]), actions.accept(at.fifth.ctx, at.tokens[1])),
        {(None, FULL), (FULL, None)},
    ),
    "one accepts twice": (
        lambda at: (actions.accept(at.fourth.ctx, at.tokens[0]), actions.accept(at.fourth.ctx, at.tokens[0])),
        {(None, OVER), (OVER, None)},
    ),
    "one accepts what is sent anew": (
        lambda at: (actions.accept(at.fourth.ctx, at.tokens[0]), at.resend(0)),
        {(None, OVER), (NO_INVITATION, None)},
    ),
    "one accepts where there is nothing any more": (
        lambda at: (actions.accept(at.fourth.ctx, at.tokens[0]), actions.delete(at.owner.ctx, at.acme.id)),
        {(None, None), (NO_INVITATION, None)},
    ),
    "one accepts and closes the account": (
        lambda at: (actions.accept(at.fourth.ctx, at.tokens[0]), at.close(at.fourth)),
        {(None, None), (ENDED, None)},
    ),
    "one is handed it and leaves": (
        lambda at: (
            actions.transfer(at.owner.ctx, at.acme.id, at.one.id),
            actions.leave(at.one.ctx, at.acme.id),
        ),
        {(None, STAYS), (NO_MEMBER, None)},
    ),
    "one is handed it and closes the account": (
        lambda at: (actions.transfer(at.owner.ctx, at.acme.id, at.one.id), at.close(at.one)),
        {(None, OWNED), (NO_MEMBER, None)},
    ),
    "one is handed it and removed": (
        lambda at: (
            actions.transfer(at.owner.ctx, at.acme.id, at.one.id),
            actions.remove(at.other.ctx, at.acme.id, at.one.id),
        ),
        {(None, STAYS), (NO_MEMBER, None)},
    ),
    "two are handed it": (
        lambda at: (
            actions.transfer(at.owner.ctx, at.acme.id, at.one.id),
            actions.transfer(at.owner.ctx, at.acme.id, at.other.id),
        ),
        {(None, NOT_ALLOWED), (NOT_ALLOWED, None)},
    ),
    "its owner hands it over and closes the account": (
        lambda at: (actions.transfer(at.owner.ctx, at.acme.id, at.one.id), at.close(at.owner)),
        {(None, None), (None, OWNED)},
    ),
    "two ask the same": (
        lambda at: (
            actions.invite(at.one.ctx, at.acme.id, "x@example.com"),
            actions.invite(at.other.ctx, at.acme.id, "x@example.com"),
        ),
        {(None, PENDING), (PENDING, None)},
    ),
    "one chooses and is removed": (
        lambda at: (
            actions.choose(at.one.ctx, at.acme.id),
            actions.remove(at.other.ctx, at.acme.id, at.one.id),
        ),
        {(None, None), (NOT_FOUND, None)},
    ),
    "one makes more than a person may have": (
        lambda at: (actions.create(at.fifth.ctx, "A"), actions.create(at.fifth.ctx, "B")),
        {(None, MANY), (MANY, None)},
    ),
}


async def outcome(action: Awaitable[Any]) -> Outcome:
    try:
        await action
    except Problem as problem:
        return problem.code
    return None


@pytest.fixture
async def kit(start: Any) -> AppKit:
    free, pro = team_product().plans
    # Three of them are taken, and two wait for the one that is left.
    started: AppKit = await start(
        team_product(plans=[replace(free, limits={**free.limits, seats: 4}), pro], organizations=ONE)
    )
    return started


ONE = Organizations(seats=seats, most=1)
"""Who belongs to one belongs to no other."""


async def test_of_two_at_once_none_gets_past_the_other(kit: AppKit) -> None:
    for name, (race, allowed) in RACES.items():
        for _ in range(ROUNDS):
            at = await scene(kit)
            if name == "two ask the same":
                # Else no seat is left for whom they ask.
                async with kit.system.service() as ctx:
                    await queries.invitations.revoke_by(ctx.db, at.acme.id, at.owner.id)
            first, second = race(at)
            done = tuple(await asyncio.gather(outcome(first), outcome(second)))
            assert done in allowed, (name, done)
            found = await members(kit, at.acme.id)
            assert list(found.values()).count("owner") == (1 if found else 0), name
            assert len(found) <= 4, name
            assert bool(found) == (name != "one accepts where there is nothing any more"), name
