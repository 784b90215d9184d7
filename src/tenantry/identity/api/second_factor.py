"""`/v1/auth/second-factor`: the second half of a sign-in."""

from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenantry.kernel import Context, Open, problems
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.kernel.problems import Invalid
from tenantry.web import CrossSiteRefused, gettext

from .. import cookies
from ..actions.factors import Shown, app_code, recovery_code
from ..actions.second_factor import find_half, pass_second_factor
from ..bearer import presented_token
from ..doors import from_our_pages
from ..errors import CodeWrong, SignInExpired, UserBanned, UserDeleted
from ..known_device import knows
from .signing import Deliver, SignedIn, admitted

router = APIRouter(prefix="/v1/auth", tags=["identity"])

Code = Annotated[str, Field(min_length=1, max_length=50)]


class SecondFactorShown(BaseModel):
    """A code of the authenticator app or a recovery code. `token` is for apps that hold the half without cookies."""

    model_config = ConfigDict(extra="forbid", strict=True)

    code: Code | None = None
    recovery_code: Code | None = None
    token: Annotated[str, Field(max_length=100)] | None = None
    deliver: Deliver = "cookie"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("Send either code or recovery_code.")
        return self

    def shown(self, ctx: Context, request: Request) -> Shown:
        if self.code is not None:
            return app_code(self.code)
        return recovery_code(ctx, self.recovery_code or "", gettext(request))


@router.post(
    "/second-factor",
    response_model=SignedIn,
    responses=problems(
        CodeWrong, CrossSiteRefused, Invalid, SignInExpired, TooManyAttempts, UserBanned, UserDeleted
    ),
)  # fmt: skip
async def pass_with_code(body: SecondFactorShown, request: Request, ctx: Open) -> Response:
    """Finish a sign-in with a second proof. A wrong code leaves the half as it is; a right one uses both up."""
    from_our_pages(request, ctx)
    half = await find_half(ctx, body.token or cookies.half_token(request, ctx.settings))
    started = await pass_second_factor(
        ctx,
        half,
        body.shown(ctx, request),
        old_token=presented_token(request, ctx.settings)[0],
        is_known=knows(request, half.user_id, ctx=ctx),
        words=gettext(request),
    )
    return admitted(request, ctx, started, deliver=body.deliver)
