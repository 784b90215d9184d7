"""`GET /v1/me`: who the caller is."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from tenantry.kernel import Read, problems
from tenantry.kernel.problems import Unauthenticated

from . import queries

router = APIRouter(tags=["identity"])


class MyPlan(BaseModel):
    """The plan in force: its name in the declaration and the name that people see."""

    name: str
    display_name: str


class Me(BaseModel):
    """The signed-in user. `name` and `image` are null until they are known."""

    id: UUID
    email: str
    email_verified: bool
    name: str | None
    image: str | None
    plan: MyPlan
    created_at: datetime
    updated_at: datetime


@router.get("/v1/me", responses=problems(Unauthenticated))
async def read_me(ctx: Read) -> Me:
    """Answer who is signed in, and on which plan."""
    me = await queries.me(ctx.db, ctx.user_id)
    if me is None:
        raise Unauthenticated
    plan = ctx.product.plan(me.plan)
    return Me(
        id=me.id,
        email=me.email,
        email_verified=me.email_verified_at is not None,
        name=me.name,
        image=me.image,
        plan=MyPlan(name=plan.name, display_name=plan.display_name),
        created_at=me.created_at,
        updated_at=me.updated_at,
    )
