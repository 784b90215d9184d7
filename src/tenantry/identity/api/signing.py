"""What the JSON doors answer when somebody has shown who they are: signed in, or half so."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from tenantry.kernel import Context

from ..actions.admission import Admission, FactorNeeded
from ..doors import keep_admission

Deliver = Annotated[
    Literal["cookie", "token"],
    Field(description="Where the session's token goes: into a cookie, or for apps without cookies into the answer."),
]


class StartedSession(BaseModel):
    """The session that has begun. A sliding one ends later than `expires_at` when it is used."""

    id: UUID
    expires_at: datetime


class SignedIn(BaseModel):
    """Signed in. `token` is there only when it was asked for; send it as `Authorization: Bearer`."""

    status: Literal["signed_in"] = "signed_in"
    user_id: UUID
    session: StartedSession
    token: str | None = None


class SecondFactorNeeded(BaseModel):
    """Half signed in: go on at `POST /v1/auth/second-factor` with one of `factors`."""

    status: Literal["second_factor_needed"] = "second_factor_needed"
    factors: list[Literal["totp", "passkey", "recovery_code"]]
    token: str | None = None


SignInAnswer = SignedIn | SecondFactorNeeded


def admitted(
    request: Request, ctx: Context, admission: Admission, *, deliver: Literal["cookie", "token"] = "cookie"
) -> Response:
    """The answer to a finished proof, with the session's cookie or token, or the ones of half a sign-in."""
    in_body = admission.token if deliver == "token" else None
    answer: SignInAnswer
    if isinstance(admission, FactorNeeded):
        answer = SecondFactorNeeded(factors=list(admission.factors), token=in_body)  # type: ignore[arg-type]
    else:
        expires = ctx.clock.now() + ctx.product.session_lifetime
        session = StartedSession(id=admission.session_id, expires_at=expires)
        answer = SignedIn(user_id=admission.user_id, session=session, token=in_body)
    response = JSONResponse(answer.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    if deliver == "cookie":
        keep_admission(response, request, admission, ctx=ctx)
    return response
