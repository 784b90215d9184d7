"""People with sessions, and organizations of theirs, made without asking anybody; what they are answered over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import select, update

from conftest import small_product
from tenantry import Count, Meter, Organizations, Plan, Product
from tenantry.holders import set_plan
from tenantry.identity.actions.admission import FactorNeeded, Proof, Started, admit
from tenantry.identity.actions.registration import register
from tenantry.identity.models import Sessions, Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.context import Actor
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.database import param, statement
from tenantry.kernel.ids import new_token
from tenantry.kernel.sql import now
from tenantry.organizations import queries
from tenantry.organizations.making import make
from tenantry.organizations.models import Memberships
from tenantry.organizations.roles import Role
from tenantry.organizations.rows import Invitation, Organization
from tenantry.testing import AppKit

seats, requests = Count("seats"), Meter("requests", per="day")
PLANS = [
    Plan("free", price=0, limits={requests: 5, seats: 3}),
    Plan("pro", price=900, limits={requests: 50, seats: 20}),
]

_unprove = statement(update(Users).where(Users.id == param("user")).values(email_verified_at=None))
_prove = statement(update(Sessions).where(Sessions.id == param("session")).values(authenticated_at=now()))
_of = statement(
    select(Memberships.user_id, Memberships.role).where(Memberships.organization_id == param("organization")),
    lambda *pair: pair,
)


def team_product(**changes: Any) -> Product:
    """Three seats on the free plan, twenty on the other; sessions that outlast an invitation."""
    given = {"plans": PLANS, "organizations": Organizations(seats=seats), "session_lifetime": timedelta(days=30)}
    return small_product(**{**given, **changes})


@dataclass
class Somebody:
    """A person with a session."""

    kit: AppKit
    id: UUID
    email: str
    session_id: UUID
    token: str

    @property
    def ctx(self) -> Context:
        """A context as a request of theirs has it, with no unit open; it knows of no organization."""
        proven = self.kit.clock.now()
        actor = Actor("user", user_id=self.id, session_id=self.session_id, email=self.email, authenticated_at=proven)
        return Context(self.kit.runtime, actor, self.kit.system.origin)


async def somebody(kit: AppKit, name: str, *, proven: bool = True, email: str = "") -> Somebody:
    """Somebody new, who is signed in; `proven` False: their address was never confirmed."""
    address = email or f"{name.lower()}-{new_id()}@example.com"
    async with kit.system.service() as ctx:
        user = await register(ctx, address, name=name, method="test")
        session = await _admit(ctx, user)
        if not proven:
            await ctx.db.run(_unprove, user=user)
    return Somebody(kit, user, address, session.session_id, session.token)


async def let_in(kit: AppKit, who: Somebody) -> Somebody:
    """The same person, in another session."""
    async with kit.system.service() as ctx:
        session = await _admit(ctx, who.id)
    return Somebody(kit, who.id, who.email, session.session_id, session.token)


async def confirmed(kit: AppKit, who: Somebody) -> None:
    """They have just shown once more who they are."""
    async with kit.system.service() as ctx:
        await ctx.db.run(_prove, session=who.session_id)


async def _admit(ctx: Context, user: UUID) -> Started:
    session = await admit(ctx, Proof(user, "test"), old_token=None)
    assert not isinstance(session, FactorNeeded)
    return session


async def organization(
    kit: AppKit, owner: Somebody, others: Mapping[Role, Somebody] | None = None, *, name: str = "Acme"
) -> Organization:
    """An organization with these members."""
    async with kit.system.service() as ctx:
        made = await make(ctx, name, owner=owner.id)
        for role, one in (others or {}).items():
            await queries.members.add(ctx.db, made.id, one.id, role)
    return made


async def invited(kit: AppKit, to: Organization, email: str, by: Somebody) -> tuple[Invitation, str]:
    """An invitation and the token of its mail, which nobody was sent."""
    token = new_token("invitation")
    lifetime = kit.runtime.product.organizations.invitation_lifetime  # type: ignore[union-attr]
    given = {"organization_id": to.id, "email": email, "role": "member", "invited_by": by.id}
    async with kit.system.service() as ctx:
        made = await queries.invitations.add(ctx.db, new_id(), lifetime, token_hash=token_hash(token), **given)
    return made, token


async def ask(
    client: httpx2.AsyncClient, who: Somebody | None, method: str, path: str, body: Any = None, **headers: str
) -> httpx2.Response:
    """A request of an app's, as somebody or nobody."""
    if who is not None:
        headers["Authorization"] = f"Bearer {who.token}"
    return await client.request(method, path, json=body, headers=headers)


async def members(kit: AppKit, of: UUID) -> dict[UUID, str]:
    """Who belongs to an organization, as what."""
    async with kit.system.service(writes=False) as ctx:
        return dict(await ctx.db.rows(_of, organization=of))


async def put_on(kit: AppKit, holder: UUID, plan: str) -> None:
    """Another plan, by hand."""
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, plan, source="admin", reason="test")
