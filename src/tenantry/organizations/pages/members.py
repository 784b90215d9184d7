"""What the team page does with people: their roles, their going, and invitations to join."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tenantry.identity.addresses import clean_email
from tenantry.kernel import Problem, SignedIn
from tenantry.web import gettext, mark

from .. import actions
from ..roles import Given
from .showing import back, team_page

NO_ADDRESS = mark("Use an e-mail address, for example ada@example.com.")

router = APIRouter(prefix="/team/{organization_id}", include_in_schema=False)

Role = Annotated[Given, Form()]


@router.post("/members/{user_id}/role")
async def change_role(ctx: SignedIn, request: Request, organization_id: UUID, user_id: UUID, role: Role) -> Response:
    """Give a member another role."""
    try:
        await actions.change_role(ctx, organization_id, user_id, role)
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("role")


@router.post("/members/{user_id}/remove")
async def remove(ctx: SignedIn, request: Request, organization_id: UUID, user_id: UUID) -> Response:
    """Let a member belong to it no more."""
    try:
        await actions.remove(ctx, organization_id, user_id)
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("removed")


@router.post("/invitations")
async def invite(
    ctx: SignedIn,
    request: Request,
    organization_id: UUID,
    email: Annotated[str, Form(max_length=1000)] = "",
    role: Role = "member",
) -> Response:
    """Mail an invitation."""
    address = clean_email(email.strip())
    if address is None:
        errors = {"email": NO_ADDRESS}
        return await team_page(ctx, request, organization_id, errors=errors, email=email, role=role)
    try:
        await actions.invite(ctx, organization_id, address, role, words=gettext(request))
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem, email=email, role=role)
    return back("invited")


@router.post("/invitations/{invitation_id}/resend")
async def resend(ctx: SignedIn, request: Request, organization_id: UUID, invitation_id: UUID) -> Response:
    """Mail an invitation again, with another link."""
    try:
        await actions.resend(ctx, organization_id, invitation_id, words=gettext(request))
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("resent")


@router.post("/invitations/{invitation_id}/revoke")
async def revoke(ctx: SignedIn, request: Request, organization_id: UUID, invitation_id: UUID) -> Response:
    """Take an invitation back."""
    try:
        await actions.revoke(ctx, organization_id, invitation_id)
    except Problem as problem:
        return await team_page(ctx, request, organization_id, problem=problem)
    return back("revoked")
