"""What these tests share: the product, and who belongs to what."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import httpx2
from fastapi import APIRouter
from sqlalchemy import insert, select

from tenantry import Billing, Count, Google, Keys, Meter, Module, Plan, Product, Scope, Stripe, Trials
from tenantry.fastapi import Metered
from tenantry.holders.models import Holders
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import Id
from tenantry.kernel.dependencies import Caller
from tenantry.kernel.mail.models import Mails
from tenantry.organizations.models import Memberships
from tenantry.testing import AppKit
from tenantry.usage import Leases

requests, keys = Meter("requests", per="day"), Count("keys")
HTML = {"accept": "text/html"}
router = APIRouter(prefix="/v1/work", tags=["work"])


@router.get("", dependencies=[Metered(requests)])
async def work(ctx: Caller) -> dict[str, str]:
    """What is paid for."""
    return {"plan": ctx.holder.plan}


def team_product(**changes: Any) -> Product:
    """Plans that organizations hold, keys, trials and a shop."""
    values: dict[str, Any] = {
        "billed": "organization",
        "session_lifetime": timedelta(days=1),
        "sign_in": [Google()],
        "plans": [
            Plan("free", price=0, limits={requests: 5, keys: 5}),
            Plan("trial", price=0, limits={requests: 5, keys: 5}, is_active=False),
            Plan("pro", price=900, limits={requests: 50, keys: 10}),
            Plan("team", price=2900, limits={requests: 500, keys: 50}),
        ],
        "keys": Keys("acme", meter=requests, count=keys, scopes=[Scope("work:write", "Change work.")]),
        "trials": Trials("trial"),
        "billing": Billing([Stripe()]),
        "modules": [Module("work", routers=[router])],
    }
    return Product("Acme", **{**values, **changes})


_join = statement(
    insert(Memberships).values(organization_id=param("organization"), user_id=param("user"), role=param("role"))
)
_holder = statement(select(Holders.id).where(Holders.organization_id == param("organization", Id())))
_mails = statement(select(Mails.recipient, Mails.subject, Mails.id).order_by(Mails.id), lambda *row: row)


@dataclass
class Team:
    """Ada owns `id`, Grace is an admin of it, Alan a member; Mallory owns `other`.

    Each has a session that works for these; Grace and Alan own an organization, too.
    """

    kit: AppKit
    ada: httpx2.AsyncClient
    grace: httpx2.AsyncClient
    alan: httpx2.AsyncClient
    mallory: httpx2.AsyncClient
    users: dict[str, UUID]
    id: UUID
    other: UUID

    @classmethod
    async def of(cls, kit: AppKit) -> Self:
        browsers = {name: await kit.sign_in(name) for name in ("ada", "grace", "alan", "mallory")}
        told = {name: (await one.get("/v1/me")).json() for name, one in browsers.items()}
        users = {name: UUID(one["id"]) for name, one in told.items()}
        own, other = UUID(told["ada"]["organization_id"]), UUID(told["mallory"]["organization_id"])
        async with kit.system.service() as ctx:
            for name, role in (("grace", "admin"), ("alan", "member")):
                await ctx.db.run(_join, organization=own, user=users[name], role=role)
        for name in ("grace", "alan"):
            chosen = await browsers[name].put("/v1/me/organization", json={"organization_id": str(own)})
            assert chosen.status_code == 200, chosen.text
        return cls(kit, **browsers, users=users, id=own, other=other)

    async def holder(self, organization: UUID | None = None) -> UUID:
        async with self.kit.system.service(writes=False) as ctx:
            found: UUID = await ctx.db.one(_holder, organization=organization or self.id)
        return found

    async def mails(self) -> list[tuple[str, str, UUID]]:
        """Who was written to, about what; once this process has written what it saw."""
        await self.kit.runtime.port(Leases).settle()
        await self.kit.runtime.port(Leases).notices.written()
        async with self.kit.system.service(writes=False) as ctx:
            return await ctx.db.rows(_mails)

    async def read_mail(self, mail: UUID) -> str:
        """What a mail says."""
        await self.kit.run_jobs()
        return (await (await self.kit.client(**HTML)).get(f"/mailbox/{mail}")).text

    async def plans(self) -> list[str]:
        """The plan that counts in the sessions of Ada, Grace, Alan and Mallory; none for who is signed out."""
        people = (self.ada, self.grace, self.alan, self.mallory)
        told = [(await one.get("/v1/me")).json() for one in people]
        return [one["plan"]["name"] if "plan" in one else "" for one in told]


def outcome(answer: httpx2.Response) -> tuple[int, str | None]:
    is_json = answer.headers.get("content-type", "").endswith("json")
    return answer.status_code, answer.json().get("code") if is_json and answer.content else None


ROLE = (403, "request.role_refused")
