"""What the JSON doors share whose flows send a mail."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenantry.kernel import Context

from ..actions.mailed import KeyShown
from ..asked import Asked, keep_asked
from .signing import Deliver

ReturnTo = Annotated[
    str, Field(max_length=2000, description="A path on this site where the mailed link leads in the end.")
]
Challenge = Annotated[UUID, Field(strict=False, description="What asking for the mail answered.")]


class MailSent(BaseModel):
    """A mail is on its way, if the address can be used here. Its code belongs to `challenge`, until `expires_at`."""

    challenge: UUID
    expires_at: datetime


class MailShown(BaseModel):
    """What the mail brought: the `token` in its link, or its `code` with the `challenge` that asking answered."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    challenge: Challenge | None = None
    code: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    deliver: Deliver = "cookie"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.token is None) == (self.code is None):
            raise ValueError("Send either token or code.")
        if self.code is not None and self.challenge is None:
            raise ValueError("Send the challenge with the code.")
        return self

    def shown(self) -> KeyShown:
        """The same for the actions. A challenge beside a token says only who asked."""
        return (
            KeyShown(self.token) if self.token is not None else KeyShown(challenge=self.challenge, code=self.code or "")
        )


def mail_sent(ctx: Context, asked: Asked) -> Response:
    """The answer to who asked for a mail, the same whoever has the address; a browser gets a note of it too."""
    expires = ctx.clock.now() + asked.purpose.lifetime
    answer = MailSent(challenge=asked.challenge, expires_at=expires)
    response = JSONResponse(answer.model_dump(mode="json"), 202, headers={"Cache-Control": "no-store"})
    keep_asked(response, asked, ctx=ctx)
    return response
