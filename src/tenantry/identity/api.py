"""`PATCH /v1/me` and `/v1/me/sessions`: what signed-in people change about themselves and where they are signed in."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from tenantry.kernel import Read, Write, problems
from tenantry.kernel.problems import Invalid, NotFound, Unauthenticated
from tenantry.web import CrossSiteRefused

from . import actions, queries
from .errors import SessionNotFound
from .providers.profiles import NAME_CHARACTERS_MAX

router = APIRouter(prefix="/v1/me", tags=["identity"])


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Use printable characters only, on one line.")
    return text


PersonName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_CHARACTERS_MAX, strip_whitespace=True),
    AfterValidator(_printable),
]


class ProfileChange(BaseModel):
    """What may be changed here: the name, null for none. Everything else is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: PersonName | None


class Profile(BaseModel):
    """The signed-in user. `name` and `image` are null until they are known."""

    id: UUID
    email: str
    email_verified: bool
    name: str | None
    image: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user: queries.User) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            email_verified=user.email_verified_at is not None,
            name=user.name,
            image=user.image,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class SignedInSession(BaseModel):
    """One browser that is signed in; `current` is the one that asks."""

    id: UUID
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    current: bool

    @classmethod
    def of(cls, session: queries.Session, current: UUID | None) -> Self:
        return cls(
            id=session.id,
            address=session.address,
            user_agent=session.user_agent,
            created_at=session.created_at,
            expires_at=session.expires_at,
            current=session.id == current,
        )


class SignedInSessions(BaseModel):
    """Live sessions, newest first."""

    items: list[SignedInSession]
    next_cursor: UUID | None


@router.patch("", responses=problems(CrossSiteRefused, Invalid, NotFound, Unauthenticated))
async def change_profile(body: ProfileChange, ctx: Write) -> Profile:
    """Change the signed-in user's name."""
    await actions.change_name(ctx, body.name)
    user = await queries.user_by_id(ctx.db, ctx.user_id)
    if user is None:
        raise NotFound
    return Profile.of(user)


@router.get("/sessions", responses=problems(Invalid, Unauthenticated))
async def list_sessions(
    ctx: Read, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: UUID | None = None
) -> SignedInSessions:
    """List the browsers the user is signed in with."""
    found = await queries.sessions_of(ctx.db, ctx.user_id, before=cursor, limit=limit + 1)
    shown = found[:limit]
    return SignedInSessions(
        items=[SignedInSession.of(one, ctx.actor.session_id) for one in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    responses=problems(CrossSiteRefused, Invalid, SessionNotFound, Unauthenticated),
)
async def revoke_session(session_id: UUID, ctx: Write) -> Response:
    """End one of the user's sessions, also the current one."""
    await actions.revoke_session(ctx, session_id)
    return Response(status_code=204)


@router.delete("/sessions", status_code=204, responses=problems(CrossSiteRefused, Unauthenticated))
async def revoke_other_sessions(ctx: Write) -> Response:
    """End all of the user's sessions but the current one."""
    await actions.revoke_other_sessions(ctx)
    return Response(status_code=204)
