"""Passkeys for apps: one's own, and showing one to sign in, as a second factor, or to confirm that it is oneself."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from tenantry.kernel import Read, SignedIn, Write, problems
from tenantry.kernel.problems import Invalid, Unauthenticated
from tenantry.web import CrossSiteRefused, gettext

from .. import queries
from ..actions import passkeys as actions
from ..actions.passkey_proofs import Begun, Brought
from ..errors import (
    ConfirmationNeeded,
    LastWayIn,
    PasskeyExpired,
    PasskeyNotFound,
    PasskeyRefused,
    PasskeysFull,
    PasskeyTaken,
    ProviderUnknown,
    UserBanned,
    UserDeleted,
)
from ..names import PASSKEY_NAME_CHARACTERS_MAX, passkey_name

router = APIRouter(prefix="/v1/me/passkeys", tags=["identity"])

_CHANGE = (ConfirmationNeeded, CrossSiteRefused, ProviderUnknown, Unauthenticated, UserBanned, UserDeleted)

PasskeyName = Annotated[
    str,
    AfterValidator(passkey_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": PASSKEY_NAME_CHARACTERS_MAX}),
]
Challenge = Annotated[str, Field(min_length=1, max_length=100, description="What asking for the options answered.")]
Credential = Annotated[
    dict[str, Any], Field(description="What the browser gave, as the `toJSON()` of a `PublicKeyCredential` writes it.")
]


class CeremonyBegun(BaseModel):
    """Hand `public_key` to the browser; send what it gives back with `challenge`, once, within five minutes.

    It is what `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()` reads.
    """

    challenge: str
    public_key: dict[str, Any]

    @classmethod
    def of(cls, begun: Begun) -> Self:
        return cls(challenge=begun.challenge, public_key=begun.options)


class CredentialShown(BaseModel):
    """The challenge, and the credential that the browser made of it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    challenge: Challenge
    credential: Credential

    def brought(self) -> Brought:
        return Brought(self.challenge, self.credential)


class NewPasskey(CredentialShown):
    """A passkey that the browser has made, and what its owner calls it."""

    name: PasskeyName


class PasskeyRenamed(BaseModel):
    """What the passkey is to be called."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: PasskeyName


class OwnPasskey(BaseModel):
    """A passkey of the user. `synced`: its maker keeps a copy, so that it works on other devices too."""

    id: UUID
    name: str
    synced: bool
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, passkey: queries.passkeys.Passkey) -> Self:
        return cls(
            id=passkey.id,
            name=passkey.name,
            synced=passkey.backed_up,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


class OwnPasskeys(BaseModel):
    """The user's passkeys, oldest first; all of them."""

    items: list[OwnPasskey]
    next_cursor: UUID | None = None


class PasskeyAdded(BaseModel):
    """The new passkey, and recovery codes, shown this once. None when unused ones from before still work."""

    passkey: OwnPasskey
    recovery_codes: list[str]


@router.get("", responses=problems(Unauthenticated))
async def list_passkeys(ctx: Read) -> OwnPasskeys:
    """List the user's passkeys."""
    return OwnPasskeys(items=[OwnPasskey.of(one) for one in await queries.passkeys.of_user(ctx.db, ctx.user_id)])


@router.post("/options", responses=problems(*_CHANGE, PasskeysFull))
async def begin_passkey(response: Response, ctx: SignedIn) -> CeremonyBegun:
    """Begin to make a passkey. Needs a recent proof."""
    response.headers["Cache-Control"] = "no-store"
    return CeremonyBegun.of(await actions.begin_passkey(ctx))


@router.post(
    "",
    status_code=201,
    responses=problems(*_CHANGE, Invalid, PasskeyExpired, PasskeyRefused, PasskeysFull, PasskeyTaken),
)
async def add_passkey(body: NewPasskey, request: Request, response: Response, ctx: SignedIn) -> PasskeyAdded:
    """Add the passkey that the browser has made. Needs a recent proof; each challenge works once."""
    added = await actions.add_passkey(ctx, body.name, body.brought(), gettext(request))
    response.headers["Cache-Control"] = "no-store"
    return PasskeyAdded(passkey=OwnPasskey.of(added.passkey), recovery_codes=added.recovery_codes)


@router.patch("/{passkey_id}", responses=problems(CrossSiteRefused, Invalid, PasskeyNotFound, Unauthenticated))
async def rename_passkey(passkey_id: UUID, body: PasskeyRenamed, ctx: Write) -> OwnPasskey:
    """Call a passkey something else."""
    await actions.rename_passkey(ctx, passkey_id, body.name)
    found = await queries.passkeys.one(ctx.db, ctx.user_id, passkey_id)
    if found is None:
        raise PasskeyNotFound
    return OwnPasskey.of(found)


@router.delete(
    "/{passkey_id}",
    status_code=204,
    responses=problems(
        ConfirmationNeeded, CrossSiteRefused, Invalid, LastWayIn, PasskeyNotFound, Unauthenticated, UserBanned,
        UserDeleted,
    ),
)  # fmt: skip
async def remove_passkey(passkey_id: UUID, request: Request, ctx: SignedIn) -> Response:
    """Take a passkey away, unless one could not sign in any more. Needs a recent proof.

    Other sessions that began with a passkey end.
    """
    await actions.remove_passkey(ctx, passkey_id, gettext(request))
    return Response(status_code=204)
