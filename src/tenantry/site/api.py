"""`/v1/me`: who the caller is, and the name they may change."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from tenantry.identity import change_name, person_name
from tenantry.kernel import Context, Read, Write, problems
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused

from . import queries

router = APIRouter(tags=["identity"])

PersonName = Annotated[
    str, AfterValidator(person_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255})
]


class MyPlan(BaseModel):
    """The plan in force: its name in the declaration and the name that people see."""

    name: str
    display_name: str


class Me(BaseModel):
    """The signed-in user. `name` and `image` are null until they are known.

    `provider` is that of the first account that is connected, null without one; `/v1/me/accounts` lists them all.
    `role`: PREMIUM by what is paid or was given, ADMIN by an operator's hand, else USER. `membership_status`: how all
    subscriptions together stand; without any, ACTIVE.
    `organization_id`: the organization that this session works for, null for who belongs to none.
    `plan`, and `stripe_product_id` and tokens too, are of the organization where organizations hold plans.
    `stripe_product_id`: Stripe's id of what the newest subscription there buys, null without one that goes on.
    `tokens`: credits that are left, 0 without any, and null where the product has none; `tokens_expires_at`: when the
    next of them expire, null where none do. `/v1/credits` tells more.
    """

    id: UUID
    email: str
    email_verified: bool
    name: str | None
    image: str | None
    provider: str | None
    role: Literal["USER", "PREMIUM", "ADMIN", "BANNED"]
    membership_status: Literal["ACTIVE", "INACTIVE", "CANCELED", "PAST_DUE"]
    plan: MyPlan
    organization_id: UUID | None
    stripe_product_id: str | None
    tokens: int | None
    tokens_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, me: queries.Me, ctx: Context) -> Self:
        plan, has_tokens = ctx.product.plan(me.plan), ctx.product.credits is not None
        return cls(
            id=me.id,
            email=me.email,
            email_verified=me.email_verified_at is not None,
            name=me.name,
            image=me.image,
            provider=me.provider,
            role=me.role,
            membership_status=me.membership_status,
            plan=MyPlan(name=plan.name, display_name=plan.display_name),
            organization_id=ctx.actor.organization_id,
            stripe_product_id=me.stripe_product_id,
            tokens=me.tokens if has_tokens else None,
            tokens_expires_at=me.tokens_expires_at if has_tokens else None,
            created_at=me.created_at,
            updated_at=me.updated_at,
        )


class MyChange(BaseModel):
    """What may be changed here: the name, null for none. Everything else is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: PersonName | None


@router.get("/v1/me", responses=problems(Unauthenticated))
async def read_me(ctx: Read) -> Me:
    """Answer who is signed in, and on which plan."""
    return await _me(ctx)


@router.patch("/v1/me", responses=problems(CrossSiteRefused, Invalid, Unauthenticated))
async def change_me(body: MyChange, ctx: Write) -> Me:
    """Change the signed-in user's name."""
    await change_name(ctx, body.name)
    return await _me(ctx)


async def _me(ctx: Context) -> Me:
    found = await queries.me(ctx.db, ctx.user_id, ctx.holder.id)
    if found is None:
        raise Unauthenticated
    return Me.of(found, ctx)
