"""Who looks after the product in tests, and what is looked up there."""

import re
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import httpx2
from sqlalchemy import insert, select, update

from billing.truth import Event, Truth
from tenantry.billing.models import BillingEvents
from tenantry.billing.worker import drain
from tenantry.identity.models import Users
from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import Context, new_id
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.context import identity_of
from tenantry.kernel.database import param, statement
from tenantry.organizations.models import Memberships, Organizations
from tenantry.testing import AppKit

_entries = statement(
    select(AuditLog.actor_id, AuditLog.action, AuditLog.subject_id, AuditLog.reason)
    .where(AuditLog.action == param("action"))
    .order_by(AuditLog.id),
    lambda *row: row,
)
_promote = statement(update(Users).where(Users.id == param("user")).values(role="ADMIN"))
_kill = statement(update(BillingEvents).values(status="dead", attempts=12, last_error="token=abc refused"))


async def make_operator(kit: AppKit, browser: httpx2.AsyncClient) -> UUID:
    """Give whoever is signed in there the right; their id."""
    user = UUID((await browser.get("/v1/me")).json()["id"])
    async with kit.system.service() as ctx:
        await ctx.db.run(_promote, user=user)
    return user


@dataclass
class Office:
    """The running product, its payment provider, and two people who are signed in: only ada has the right."""

    kit: AppKit
    truth: Truth
    ada: httpx2.AsyncClient
    grace: httpx2.AsyncClient
    operator: UUID

    @classmethod
    async def open(cls, kit: AppKit, truth: Truth) -> Self:
        ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
        return cls(kit, truth, ada, grace, await make_operator(kit, ada))

    async def deliver(self, *events: Event) -> None:
        """Hand events in and work on them until none is due."""
        client = await self.kit.client()
        for one in events:
            answer = await client.post("/webhooks/fake", content=one.body, headers=one.headers)
            assert answer.status_code == 204, answer.text
        await self.work()

    async def work(self) -> None:
        while await drain(self.kit.runtime):
            pass

    async def kill_events(self) -> None:
        """Every event has failed for good."""
        async with self.kit.system.service() as ctx:
            await ctx.db.run(_kill)

    async def see(self, path: str, **query: str) -> str:
        """A page that ada is shown."""
        answer = await self.ada.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def audited(self, action: str) -> list[tuple[UUID | None, str, str | None, str | None]]:
        """The entries of an action: who, what, to what, why."""
        async with self.kit.system.service(writes=False) as ctx:
            return await ctx.db.rows(_entries, action=action)

    def as_operator(self) -> Context:
        """A context as a request of ada's has it."""
        system = self.kit.system
        actor = type(system.actor)("user", user_id=self.operator, permissions=frozenset({ADMINISTER.name}))
        assert identity_of(actor).user_id == self.operator
        return Context(self.kit.runtime, actor, system.origin)


async def team_of(office: Office, owner: UUID, *members: UUID) -> str:
    """An organization with its people, written past its room."""
    team = new_id()
    async with office.kit.system.service() as ctx:
        await ctx.db.run(statement(insert(Organizations).values(id=team, name="Compilers", owner_id=owner)))
        for user, role in ((owner, "owner"), *((one, "member") for one in members)):
            row = {"organization_id": team, "user_id": user, "role": role}
            await ctx.db.run(statement(insert(Memberships).values(**row)))
    return str(team)


def links(page: str, start: str) -> list[str]:
    """The addresses on a page that begin so, each once, in their order."""
    found = [one.replace("&amp;", "&") for one in re.findall(r'href="([^"]+)"', page)]
    return [*dict.fromkeys(one for one in found if one.startswith(start))]


def link(page: str, rel: str) -> str:
    """Where "previous" or "next" leads; "" without one."""
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    return found[1].replace("&amp;", "&") if found else ""
