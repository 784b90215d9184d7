"""Invitations, roles, handing over, bans and time in any order: every answer is the one that a plain model gives.

After each step: every organization has its one owner, the memberships are the model's, what a session works for is one
of them, and who does not belong to an organization any more reads nothing of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from identity.mailbox import mailbox
from organizations import team_model as model
from organizations.people import ask, confirmed, let_in, members, put_on, somebody, team_product
from organizations.team_model import Asked, Human, Team, current
from organizations.test_invitations import token_in
from tenantry.holders import by_user
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.kernel import Problem
from tenantry.kernel.database import param, statement
from tenantry.organizations.models import CurrentOrganizations, Invitations
from tenantry.testing import AppKit, TestDatabase

RUNS, STEPS = 4, 35
LIFETIME = timedelta(days=365)
WHO, WHICH, LATELY = st.integers(0, 3), st.integers(0, 1), st.integers(0, 1)
ASKS = st.integers(0, 6)
"""Who does something with an organization: beyond the four it is its owner, so that enough of it is done."""
ROLE = st.sampled_from(["admin", "member"])
_invitations = statement(
    select(Invitations.id, Invitations.status).where(Invitations.organization_id == param("organization")),
    lambda *pair: pair,
)
_choices = statement(select(CurrentOrganizations.organization_id).where(CurrentOrganizations.user_id == param("user")))


class World:
    """The application, shared by all runs: each has people of its own."""

    def __init__(self, kit: AppKit, client: httpx2.AsyncClient, run: Callable[[Awaitable[Any]], Any]) -> None:
        self.kit, self.client, self.run = kit, client, run
        self.met: set[str | None] = set()
        """What was answered."""

    def ask(self, who: Human, method: str, path: str, body: Any = None) -> tuple[str | None, Any]:
        """The code of the refusal, and what is told."""
        answer = self.run(ask(self.client, who.session, method, path, body))
        told = answer.json() if answer.content else {}
        assert answer.status_code < 500, told
        return (told["code"] if answer.status_code >= 400 else None), told

    def operate(self, do: Any, *args: Any, **given: Any) -> str | None:
        async def inside() -> str | None:
            try:
                async with self.kit.system.service() as ctx:
                    await do(ctx, *args, reason="test", **given)
            except Problem as problem:
                return problem.code
            return None

        found: str | None = self.run(inside())
        return found


class Belonging(RuleBasedStateMachine):
    """Four people and two organizations at most, which come and go."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.kit = world, world.kit
        self.people = [Human(world.run(somebody(world.kit, name))) for name in ("Ada", "Grace", "Alan", "Edsger")]
        self.teams: list[Team] = []
        self.gone: list[UUID] = []
        self.began = self.now
        self.create(0)
        self.invite(0, 0, 1, "admin")
        self.answer(1, 0, 1, accepts=True)

    @property
    def now(self) -> datetime:
        return self.kit.clock.now()

    def done(self, expected: str | None, answer: tuple[str | None, Any]) -> bool:
        """Whether it was done; it is done unless the model says otherwise."""
        code, told = answer
        self.world.met.add(code)
        assert code == expected, told
        # The next thing happens later.
        self.world.run(self.kit.move(seconds=1))
        return expected is None

    def team(self, which: int) -> Team:
        return self.teams[which % len(self.teams)]

    def asks(self, which: int, who: int) -> Human:
        if who < len(self.people):
            return self.people[who]
        return next(one for one in self.people if self.team(which).role(one) == "owner")

    def end(self, team: Team) -> None:
        for one in self.people:
            team.part(one)
        self.teams.remove(team)
        self.gone.append(team.id)

    @rule(who=WHO)
    def create(self, who: int) -> None:
        human = self.people[who]
        if len(self.teams) > 1:
            return
        expected = model.SHUT if human.is_shut_out else None
        now, answer = self.now, self.world.ask(human, "POST", "/v1/organizations", {"name": "Acme"})
        if self.done(expected, answer):
            made = Team(UUID(answer[1]["id"]))
            made.join(human, "owner", now)
            human.chosen = made
            self.teams.append(made)

    @rule(who=ASKS, which=WHICH, whom=WHO, role=ROLE)
    @precondition(lambda self: self.teams)
    def invite(self, who: int, which: int, whom: int, role: str) -> None:
        human, team, to, now = self.asks(which, who), self.team(which), self.people[whom], self.now
        pending = team.pending_of(to)
        expected = team.refused(human, "owner", "admin")
        if expected is None and team.role(to):
            expected = model.MEMBER
        elif expected is None and pending is not None and pending.is_open(now):
            expected = model.PENDING
        elif expected is None and len(team.roles) + team.open(now) + 1 > self.seats(team):
            expected = model.FULL
        answer = self.world.ask(
            human, "POST", f"/v1/organizations/{team.id}/invitations", {"email": to.session.email, "role": role}
        )
        if self.too_often(answer) or not self.done(expected, answer):
            return
        if pending is not None:
            pending.status = "revoked"
        made = Asked(answer[1]["id"], to, human, role, now + model.LIFETIME, [self.mailed(to)])
        team.asked.append(made)

    @rule(who=ASKS, which=WHICH, whose=LATELY)
    @precondition(lambda self: self.teams)
    def resend(self, who: int, which: int, whose: int) -> None:
        found = self.some_asked(which, whose)
        if found is None:
            return
        human, team, now = self.asks(which, who), self.team(which), self.now
        expected = team.refused(human, "owner", "admin")
        if expected is None and found.status != "pending":
            expected = model.OVER
        elif expected is None and not found.is_open(now) and len(team.roles) + team.open(now) + 1 > self.seats(team):
            expected = model.FULL
        answer = self.world.ask(human, "POST", f"/v1/organizations/{team.id}/invitations/{found.id}/resend")
        if not self.too_often(answer) and self.done(expected, answer):
            found.ends = now + model.LIFETIME
            found.tokens.append(self.mailed(found.to))

    @rule(who=ASKS, which=WHICH, whose=LATELY)
    @precondition(lambda self: self.teams)
    def revoke(self, who: int, which: int, whose: int) -> None:
        found = self.some_asked(which, whose)
        if found is None:
            return
        human, team = self.asks(which, who), self.team(which)
        expected = team.refused(human, "owner", "admin") or (model.OVER if found.status != "pending" else None)
        path = f"/v1/organizations/{team.id}/invitations/{found.id}"
        if self.done(expected, self.world.ask(human, "DELETE", path)):
            found.status = "revoked"

    @rule(who=WHO, which=WHICH, whose=LATELY, accepts=st.booleans(), stale=st.booleans(), swaps=st.integers(0, 5))
    @precondition(lambda self: self.teams)
    def answer(self, who: int, which: int, whose: int, *, accepts: bool, stale: bool = False, swaps: int = 0) -> None:
        """Mostly by whom it is for; now and then by somebody else, or with the link of an older mail."""
        found = self.some_asked(which, whose)
        if found is None:
            return
        human, team, now = self.people[who] if swaps == 5 else found.to, self.team(which), self.now
        token, verb = found.tokens[0] if stale else found.tokens[-1], "accept" if accepts else "decline"
        expected = model.SHUT if human.is_shut_out else None
        if expected is None and token != found.tokens[-1]:
            expected = model.NO_INVITATION
        elif expected is None and human is not found.to:
            expected = model.OTHER
        elif expected is None and not found.is_open(now):
            expected = model.OVER
        elif expected is None and accepts and len(team.roles) + 1 > self.seats(team):
            expected = model.FULL
        if self.done(expected, self.world.ask(human, "POST", f"/v1/invitations/{verb}", {"token": token})):
            found.status = f"{verb}ed".replace("eed", "ed")
            if accepts:
                team.join(human, found.role, now)
                human.chosen = team

    @rule(who=WHO, which=WHICH)
    @precondition(lambda self: self.teams)
    def leave(self, who: int, which: int) -> None:
        human, team = self.people[who], self.team(which)
        expected = team.refused(human) or (model.STAYS if team.role(human) == "owner" else None)
        if self.done(expected, self.world.ask(human, "POST", f"/v1/organizations/{team.id}/leave")):
            team.part(human)

    @rule(who=ASKS, which=WHICH, whom=WHO)
    @precondition(lambda self: self.teams)
    def remove(self, who: int, which: int, whom: int) -> None:
        human, team, other = self.asks(which, who), self.team(which), self.people[whom]
        expected = team.refused(human, *(() if human is other else ("owner", "admin")))
        expected = expected or self.of_other(team, other)
        path = f"/v1/organizations/{team.id}/members/{other.session.id}"
        if self.done(expected, self.world.ask(human, "DELETE", path)):
            team.part(other)
            if human is not other:
                team.revoke(by=other, to=other)

    @rule(who=ASKS, which=WHICH, whom=WHO, role=ROLE)
    @precondition(lambda self: self.teams)
    def change_role(self, who: int, which: int, whom: int, role: str) -> None:
        human, team, other = self.asks(which, who), self.team(which), self.people[whom]
        expected = team.refused(human, "owner", "admin") or self.of_other(team, other)
        path = f"/v1/organizations/{team.id}/members/{other.session.id}"
        if self.done(expected, self.world.ask(human, "PATCH", path, {"role": role})):
            if (team.role(other), role) == ("admin", "member"):
                team.revoke(by=other)
            team.roles[id(other)] = role

    @rule(who=ASKS, which=WHICH, whom=WHO)
    @precondition(lambda self: self.teams)
    def transfer(self, who: int, which: int, whom: int) -> None:
        human, team, other = self.asks(which, who), self.team(which), self.people[whom]
        expected = team.refused(human, "owner")
        if expected is None and team.role(other) is None:
            expected = model.NO_MEMBER
        elif expected is None and other is not human and other.is_banned:
            expected = model.BLOCKED
        body = {"user_id": str(other.session.id)}
        self.world.run(confirmed(self.kit, human.session))
        if self.done(expected, self.world.ask(human, "POST", f"/v1/organizations/{team.id}/transfer", body)):
            team.roles |= {id(human): "admin"} | {id(other): "owner"}

    @rule(who=ASKS, which=WHICH, sure=st.integers(0, 3))
    @precondition(lambda self: self.teams)
    def delete(self, who: int, which: int, sure: int) -> None:
        human, team = self.asks(which, who), self.team(which)
        expected = team.refused(human, "owner")
        self.world.run(confirmed(self.kit, human.session))
        if (sure == 3 or expected) and self.done(
            expected, self.world.ask(human, "DELETE", f"/v1/organizations/{team.id}")
        ):
            self.end(team)

    @rule(who=WHO, which=WHICH)
    @precondition(lambda self: self.teams)
    def choose(self, who: int, which: int) -> None:
        human, team, now = self.people[who], self.team(which), self.now
        body = {"organization_id": str(team.id)}
        if self.done(team.refused(human), self.world.ask(human, "PUT", "/v1/me/organization", body)):
            human.chosen, team.since[id(human)] = team, now

    @rule(whom=WHO, sure=st.integers(0, 3))
    def ban_or_let_in(self, whom: int, sure: int) -> None:
        human = self.people[whom]
        if human.is_closed or not (human.is_banned or sure == 3):
            return
        human.is_banned = not human.is_banned
        assert self.world.operate(ban_user if human.is_banned else lift_ban, human.session.id) is None
        if not human.is_banned:
            human.session = self.world.run(let_in(self.kit, human.session))
        # What that session worked for is gone with it.
        human.chosen = None

    @rule(whom=WHO, sure=st.integers(0, 5))
    def close(self, whom: int, sure: int) -> None:
        human = self.people[whom]
        if sure < 5 or human.is_closed:
            return
        own = [one for one in self.teams if one.role(human) == "owner"]
        expected = model.OWNED if any(len(one.roles) > 1 for one in own) else None
        if self.done(expected, (self.world.operate(delete_user, human.session.id), "")):
            human.is_closed = True
            for one in own:
                self.end(one)
            for one in self.teams:
                one.part(human)

    @rule(whom=WHO, plan=st.sampled_from(sorted(model.SEATS)))
    def change_plan(self, whom: int, plan: str) -> None:
        human = self.people[whom]

        async def change() -> None:
            async with self.kit.system.service(writes=False) as ctx:
                holder = await by_user(ctx.db, human.session.id)
            assert holder is not None
            await put_on(self.kit, holder.id, plan)

        self.world.run(change())
        human.plan = plan

    # A long run would wait until everybody's session is over, and that is another machine's matter.
    @precondition(lambda self: self.now - self.began < LIFETIME - timedelta(days=7))
    @rule(days=st.sampled_from([1, 6, 7]))
    def wait(self, days: int) -> None:
        self.world.run(self.kit.move(timedelta(days=days)))

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        for team in self.teams:
            found = self.world.run(members(self.kit, team.id))
            assert found == {one.session.id: role for one in self.people if (role := team.role(one))}
            assert sorted(found.values()).count("owner") == 1
            stand = self.world.run(self.rows(_invitations, organization=team.id))
            assert sorted((str(one), status) for one, status in stand) == sorted(
                (one.id, one.status) for one in team.asked
            )
        for one in self.gone:
            assert self.world.run(members(self.kit, one)) == {}

    @invariant()
    def nobody_reads_what_they_do_not_belong_to(self) -> None:
        for human in self.people:
            code, me = self.world.ask(human, "GET", "/v1/me")
            assert (code is not None) == human.is_shut_out
            if code is not None:
                continue
            expected = current(human, self.teams)
            assert me["organization_id"] == (str(expected) if expected else None)
            own = {str(one.id): one.role(human) for one in self.teams if one.role(human)}
            assert expected is None or str(expected) in own
            _code, listed = self.world.ask(human, "GET", "/v1/organizations")
            assert {one["id"]: one["role"] for one in listed["items"]} == own
            chosen = self.world.run(self.rows(_choices, user=human.session.id))
            assert {str(one) for one in chosen} <= own.keys()

    async def rows(self, wanted: Any, **given: Any) -> list[Any]:
        async with self.kit.system.service(writes=False) as ctx:
            found: list[Any] = await ctx.db.rows(wanted, **given)
            return found

    def of_other(self, team: Team, other: Human) -> str | None:
        role = team.role(other)
        if role is None:
            return model.NO_MEMBER
        return model.STAYS if role == "owner" else None

    def some_asked(self, which: int, whose: int) -> Asked | None:
        asked = self.team(which).asked
        return asked[-1 - whose % len(asked)] if asked else None

    def seats(self, team: Team) -> int:
        return next(model.SEATS[one.plan] for one in self.people if team.role(one) == "owner")

    def mailed(self, to: Human) -> str:
        mails = self.world.run(mailbox(self.kit, to.session.email))
        return token_in(next(one for one in reversed(mails) if "/invitations?" in one.text))

    def too_often(self, answer: tuple[str | None, Any]) -> bool:
        return answer[0] == "request.too_many_attempts"


@pytest.fixture
def world(database: TestDatabase) -> Iterator[World]:
    """On a loop of its own: the machine's steps are no coroutines."""
    stack = AsyncExitStack()

    async def begin(run: Any) -> World:
        product = team_product(session_lifetime=LIFETIME)
        kit = await stack.enter_async_context(AppKit.start(product, database))
        return World(kit, await kit.client(), run)

    with asyncio.Runner() as runner:
        yield runner.run(begin(runner.run))
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(RUNS, STEPS), pytest.param(300, 80, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_every_answer_is_the_models(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # To make a failure small takes minutes, which the long run has.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if runs > RUNS else [])],
    )
    run_state_machine_as_test(lambda: Belonging(world), settings=chosen)
    assert None in world.met
    if runs > RUNS:
        assert {
            model.SHUT, model.NOT_FOUND, model.NOT_ALLOWED, model.STAYS, model.NO_MEMBER, model.FULL, model.MEMBER,
            model.PENDING, model.OVER, model.OTHER, model.OWNED,
        } <= world.met  # fmt: skip
