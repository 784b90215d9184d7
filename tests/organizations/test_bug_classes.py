"""Classes of mistakes that others made with teams, each as a test named after it."""

from typing import Any

import pytest
from sqlalchemy import select

from identity.mailbox import mailbox, token_in
from organizations.people import ask, invited, members, organization, somebody
from tenantry.kernel.database import param, statement
from tenantry.organizations.models import Invitations, Organizations
from tenantry.testing import AppKit

_name = statement(select(Organizations.name).where(Organizations.id == param("organization")))
_invitations = statement(
    select(Invitations.id, Invitations.status).where(Invitations.organization_id == param("organization")),
    lambda *pair: pair,
)

# What is done, by JSON and by a form: each is one action with two doors, and the role counts at both.
DOORS: list[tuple[str, str, dict[str, str], str]] = [
    ("PATCH", "", {"name": "Mine"}, "/rename"),
    ("DELETE", "", {}, "/delete"),
    ("POST", "/transfer", {"user_id": "{self}"}, "/transfer"),
    ("POST", "/invitations", {"email": "mallory@example.com"}, "/invitations"),
    ("DELETE", "/invitations/{invitation}", {}, "/invitations/{invitation}/revoke"),
    ("POST", "/invitations/{invitation}/resend", {}, "/invitations/{invitation}/resend"),
    ("PATCH", "/members/{self}", {"role": "admin"}, "/members/{self}/role"),
    ("DELETE", "/members/{admin}", {}, "/members/{admin}/remove"),
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]}{door[1]}")
async def test_class_16_no_door_leaves_the_role_out(kit: AppKit, door: tuple[str, str, dict[str, str], str]) -> None:
    client = await kit.client()
    ada, grace, alan = await somebody(kit, "Ada"), await somebody(kit, "Grace"), await somebody(kit, "Alan")
    mallory = await somebody(kit, "Mallory")
    acme = await organization(kit, ada, {"admin": grace, "member": alan})
    waiting, _token = await invited(kit, acme, "new@example.com", ada)

    async def everything() -> Any:
        async with kit.system.service(writes=False) as ctx:
            invitations = sorted(await ctx.db.rows(_invitations, organization=acme.id))
            name = await ctx.db.one(_name, organization=acme.id)
        return name, await members(kit, acme.id), invitations

    before = await everything()
    method, path, body, form = door
    for who, status in ((alan, 403), (mallory, 404)):
        named = {"self": str(who.id), "admin": str(grace.id), "invitation": str(waiting.id)}
        filled = {name: one.format(**named) for name, one in body.items()}
        sent = await ask(client, who, method, f"/v1/organizations/{acme.id}{path.format(**named)}", filled or None)
        assert (sent.status_code, who is mallory or sent.json()["code"]) == (status, who is mallory or ROLE)
        headers = {"Authorization": f"Bearer {who.token}", "accept": "text/html"}
        typed = {**filled, "typed": "Acme", "role": "admin"}
        posted = await client.post(f"/team/{acme.id}{form.format(**named)}", data=typed, headers=headers)
        assert posted.status_code == status
    assert await everything() == before


ROLE = "request.forbidden"


@pytest.mark.parametrize("door", ["/v1/invitations/accept", "/v1/invitations/{id}/accept", "/invitations/{id}/accept"])
async def test_class_17_only_who_has_proven_the_address_joins_by_any_door(kit: AppKit, door: str) -> None:
    client = await kit.client()
    ada, thief = await somebody(kit, "Ada"), await somebody(kit, "Thief")
    claims = await somebody(kit, "Claims", proven=False)
    acme = await organization(kit, ada)
    # The address that somebody asked to have, and has not agreed to at its mailbox, is not theirs.
    wanted = "wanted@example.com"
    asked = await ask(client, thief, "POST", "/v1/me/email", {"email": wanted})
    assert asked.status_code == 202
    for address in (wanted, claims.email):
        invitation, token = await invited(kit, acme, address, ada)
        for who in (thief, claims):
            path = door.format(id=invitation.id)
            body = {"token": token} if door.endswith("invitations/accept") else None
            headers = {"Authorization": f"Bearer {who.token}", "accept": "text/html"}
            if path.startswith("/v1"):
                answer = await ask(client, who, "POST", path, body)
            else:
                answer = await client.post(path, data={"token": token}, headers=headers)
            assert answer.status_code in {403, 404}, answer.text
    assert await members(kit, acme.id) == {ada.id: "owner"}
    assert [one.recipient for one in await mailbox(kit, wanted) if "token=" in one.text]


async def test_class_17_what_was_another_ones_address_lets_nobody_in_once_it_is_given_up(kit: AppKit) -> None:
    client = await kit.client()
    ada, grace = await somebody(kit, "Ada"), await somebody(kit, "Grace")
    acme = await organization(kit, ada)
    _invitation, token = await invited(kit, acme, grace.email, ada)
    to = f"other-{grace.id}@example.com"
    assert (await ask(client, grace, "POST", "/v1/me/email", {"email": to})).status_code == 202
    for address, step in ((to, "confirm"), (grace.email, "approve")):
        mail = (await mailbox(kit, address))[-1]
        agreed = await client.post(f"/v1/auth/email/{step}", json={"token": token_in(mail)})
        assert agreed.status_code == 200, agreed.text
    refused = await ask(client, grace, "POST", "/v1/invitations/accept", {"token": token})
    assert refused.status_code in {401, 403}, refused.text
    assert await members(kit, acme.id) == {ada.id: "owner"}


async def test_class_18_no_domain_is_a_claim(kit: AppKit) -> None:
    """Who has an address at a company's domain belongs to nothing: only an invitation to exactly theirs lets in."""
    client = await kit.client()
    ada = await somebody(kit, "Ada", email="ada@acme.example")
    acme = await organization(kit, ada, name="acme.example")
    invitation, token = await invited(kit, acme, "grace@acme.example", ada)
    for address in ("eve@acme.example", "grace@mail.acme.example", "grace@acme.example.evil.example"):
        eve = await somebody(kit, "Eve", email=address)
        for path in ("/v1/organizations", "/v1/invitations"):
            assert (await ask(client, eve, "GET", path)).json()["items"] == [], path
        assert (await ask(client, eve, "POST", f"/v1/invitations/{invitation.id}/accept")).status_code == 404
        refused = await ask(client, eve, "POST", "/v1/invitations/accept", {"token": token})
        assert refused.json()["code"] == "organizations.invited_other"
    assert await members(kit, acme.id) == {ada.id: "owner"}
