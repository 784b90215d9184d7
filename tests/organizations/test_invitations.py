"""Invitations over HTTP, as stories: who may accept, what a mail says, what keeps somebody out."""

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from sqlalchemy import update

from identity.mailbox import mailbox
from organizations.people import (
    Somebody,
    ask,
    invited,
    let_in,
    members,
    organization,
    put_on,
    somebody,
    team_product,
)
from tenantry.holders import by_user
from tenantry.identity.actions.admission import prove_address
from tenantry.identity.models import Users
from tenantry.identity.queries import users
from tenantry.kernel.database import param, statement
from tenantry.kernel.mail import Mail
from tenantry.organizations import queries
from tenantry.testing import AppKit

_unprove = statement(update(Users).where(Users.id == param("user")).values(email_verified_at=None))
_LINK = re.compile(r"http://127\.0\.0\.1:8000/invitations\?token=(invitation_\w+)")


def token_in(mail: Mail) -> str:
    (found,) = set(_LINK.findall(mail.text))
    assert f"token={found}" in (mail.html or "")
    return str(found)


class Story:
    """An organization of Ada's, and who is asked to join it."""

    def __init__(self, kit: AppKit, client: httpx2.AsyncClient, ada: Somebody, path: str) -> None:
        self.kit, self.client, self.ada, self.path = kit, client, ada, path

    async def ask(self, who: Somebody | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The status, and the code of the refusal or what is told."""
        answer = await ask(self.client, who, method, path, body, **headers)
        told = answer.json() if answer.content else {}
        return answer.status_code, told.get("code") or told

    async def invite(self, email: str, **more: Any) -> Any:
        return await self.ask(self.ada, "POST", f"{self.path}/invitations", {"email": email}, **more)

    async def accept(self, who: Somebody | None, token: str) -> Any:
        return await self.ask(who, "POST", "/v1/invitations/accept", {"token": token})


async def begin(kit: AppKit, name: str = "Acme") -> tuple[Story, Any]:
    ada = await somebody(kit, "Ada")
    acme = await organization(kit, ada, name=name)
    return Story(kit, await kit.client(), ada, f"/v1/organizations/{acme.id}"), acme


async def test_only_who_has_proven_the_address_accepts_and_once(kit: AppKit) -> None:
    story, acme = await begin(kit)
    grace, alan = await somebody(kit, "Grace"), await somebody(kit, "Alan")
    claims = await somebody(kit, "Claims", proven=False)
    assert (await story.invite(grace.email.upper()))[0] == 201
    assert (await story.invite(claims.email))[0] == 201
    (mail,) = await mailbox(kit, grace.email)
    token = token_in(mail)
    assert "Acme" in mail.subject
    assert f"Ada ({story.ada.email}) asks you to join Acme" in mail.text
    # Looking uses nothing up.
    for _ in range(2):
        status, told = await story.ask(grace, "GET", "/v1/invitations")
        assert (status, [(one["organization_name"], one["status"]) for one in told["items"]]) == (
            200,
            [("Acme", "pending")],
        )
    answer = await ask(story.client, alan, "POST", "/v1/invitations/accept", {"token": token})
    assert (answer.status_code, answer.json()["code"]) == (403, "organizations.invited_other")
    assert grace.email not in answer.text
    assert "G***@EXAMPLE.com".lower() in answer.text.lower()
    assert await story.accept(None, token) == (401, "request.unauthenticated")
    assert await story.accept(claims, token_in((await mailbox(kit, claims.email))[0])) == (
        403,
        "organizations.invited_unproven",
    )
    assert (await story.ask(claims, "GET", "/v1/invitations"))[1]["items"] == []
    assert await story.accept(grace, "invitation_nonsense") == (404, "organizations.invitation_not_found")
    assert await story.accept(grace, token) == (200, {"organization_id": str(acme.id), "name": "Acme"})
    assert await story.accept(grace, token) == (409, "organizations.invitation_over")
    assert (await story.ask(grace, "GET", "/v1/me"))[1]["organization_id"] == str(acme.id)
    assert await story.invite(grace.email) == (409, "organizations.already_member")
    assert await members(kit, acme.id) == {story.ada.id: "owner", grace.id: "member"}


@pytest.mark.parametrize("was_here", [False, True])
async def test_class_02_what_was_sent_before_somebody_else_proved_the_address_lets_nobody_in(
    kit: AppKit, was_here: bool
) -> None:
    """Who sat there could else join with an address of their own, and stay when the owner has come."""
    story, acme = await begin(kit)
    grace = await somebody(kit, "Grace")
    async with kit.system.service() as ctx:
        await ctx.db.run(_unprove, user=story.ada.id)
    assert (await story.invite(grace.email))[0] == 201
    token = token_in((await mailbox(kit, grace.email))[0])
    async with kit.system.service() as ctx:
        found = await users.lock(ctx.db, story.ada.id)
        assert found is not None
        await prove_address(replace(ctx, actor=story.ada.ctx.actor) if was_here else ctx, found)
    status, answer = await story.accept(grace, token)
    assert (status, answer) == (
        (200, {"organization_id": str(acme.id), "name": "Acme"}) if was_here else (409, "organizations.invitation_over")
    )


async def test_what_was_sent_again_taken_back_declined_or_is_late_opens_nothing(kit: AppKit) -> None:
    story, acme = await begin(kit)
    grace = await somebody(kit, "Grace")
    _status, made = await story.invite(grace.email)
    first = token_in((await mailbox(kit, grace.email))[0])
    path = f"{story.path}/invitations/{made['id']}"
    assert await story.invite(grace.email.title()) == (409, "organizations.invitation_pending")
    await kit.move(days=6)
    status, again = await story.ask(story.ada, "POST", f"{path}/resend")
    assert (status, again["status"], again["expires_at"]) == (200, "pending", "2026-03-27T12:00:00Z")
    second = token_in((await mailbox(kit, grace.email))[1])
    assert await story.accept(grace, first) == (404, "organizations.invitation_not_found")
    await kit.set_time(kit.clock.now() + timedelta(days=7))
    # On the dot of its end it is over.
    assert await story.accept(grace, second) == (409, "organizations.invitation_over")
    assert (await story.ask(grace, "GET", "/v1/invitations"))[1]["items"] == []
    # A late one is no obstacle to another.
    status, made = await story.invite(grace.email)
    assert status == 201
    third = token_in((await mailbox(kit, grace.email))[2])
    path = f"{story.path}/invitations/{made['id']}"
    assert (await story.ask(story.ada, "DELETE", path))[1]["status"] == "revoked"
    assert await story.accept(grace, third) == (409, "organizations.invitation_over")
    for verb in ("POST", "DELETE"):
        at = f"{path}/resend" if verb == "POST" else path
        assert await story.ask(story.ada, verb, at) == (409, "organizations.invitation_over")
    await story.invite(grace.email)
    fourth = token_in((await mailbox(kit, grace.email))[3])
    assert await story.ask(grace, "POST", "/v1/invitations/decline", {"token": fourth}) == (204, {})
    assert await story.accept(grace, fourth) == (409, "organizations.invitation_over")
    _status, told = await story.ask(story.ada, "GET", f"{story.path}/invitations")
    assert [one["status"] for one in told["items"]] == ["declined", "revoked", "revoked"]
    assert await members(kit, acme.id) == {story.ada.id: "owner"}
    # Ninety days after its end an invitation, and the address in it, is gone.
    await kit.move(days=98)
    await kit.runtime.jobs["organizations.forget_invitations"].run(kit.system, {})
    async with kit.system.service(writes=False) as ctx:
        assert await queries.invitations.page(ctx.db, acme.id, state=None) == []


async def test_seats_are_kept_for_who_is_invited_and_a_smaller_plan_lets_nobody_else_in(kit: AppKit) -> None:
    story, acme = await begin(kit)
    people = [await somebody(kit, f"P{number}") for number in range(4)]
    async with kit.system.service(writes=False) as ctx:
        holder = await by_user(ctx.db, story.ada.id)
    assert holder is not None
    assert [(await story.invite(one.email))[0] for one in people] == [201, 201, 409, 409]
    answer = await ask(story.client, story.ada, "POST", f"{story.path}/invitations", {"email": "x@example.com"})
    told = answer.json()
    assert (told["code"], told["limit"], told["used"]) == ("organizations.seats_full", 3, 3)
    assert told["upgrade"].endswith("/pricing")
    await put_on(kit, holder.id, "pro")
    assert [(await story.invite(one.email))[0] for one in people[2:]] == [201, 201]
    assert (await story.ask(story.ada, "GET", story.path))[1]["seats"] == {
        "used": 5, "members": 1, "invited": 4, "limit": 20,
    }  # fmt: skip
    tokens = [token_in((await mailbox(kit, one.email))[0]) for one in people]
    for one, token in zip(people[:3], tokens, strict=False):
        assert (await story.accept(one, token))[0] == 200
    await put_on(kit, holder.id, "free")
    # Nobody has to go.
    assert len(await members(kit, acme.id)) == 4
    assert await story.accept(people[3], tokens[3]) == (409, "organizations.seats_full")
    assert await story.invite("y@example.com") == (409, "organizations.seats_full")


async def test_nobodys_mailbox_is_filled_and_no_name_is_a_link(kit: AppKit) -> None:
    story, _acme = await begin(kit, "Büro & Söhne <b>")
    bad = ["https://evil.example", "Sign in at evil.example/now", "www.evil", "a@b", "x\ny", "", " ", "x" * 101]
    for name in bad:
        for method, path in (("POST", "/v1/organizations"), ("PATCH", story.path)):
            assert (await story.ask(story.ada, method, path, {"name": name}))[0] == 422, name
    async with kit.system.service() as ctx:
        await users.rename(ctx.db, story.ada.id, "Your prize: evil.example")
    status, made = await story.ask(
        story.ada,
        "POST",
        f"{story.path}/invitations",
        {"email": "grace+1@example.com", "role": "admin"},
        **{"Accept-Language": "de"},
    )
    (mail,) = await mailbox(kit, "grace+1@example.com")
    assert (status, "evil.example" in mail.text + (mail.html or "")) == (201, False)
    assert story.ada.email in mail.text
    assert "Büro &amp; Söhne &lt;b&gt;" in (mail.html or "")
    path = f"{story.path}/invitations/{made['id']}/resend"
    found = [(await story.ask(story.ada, "POST", path))[0] for _ in range(9)]
    assert found == [200] * 9
    assert await story.ask(story.ada, "POST", path) == (429, "request.too_many_attempts")
    # Another organization, and another tag: it is the same mailbox.
    other, _ = await begin(kit)
    assert await other.invite("grace+2@example.com") == (429, "request.too_many_attempts")
    # Who may not invite uses nothing of that up.
    stranger = await somebody(kit, "Alan")
    for _ in range(12):
        assert (await story.ask(stranger, "POST", f"{other.path}/invitations", {"email": "z@example.com"}))[0] == 404
    assert (await other.invite("z@example.com"))[0] == 201
    assert await other.invite("no address") == (422, "request.invalid")


async def test_where_organizations_are_billed_everybody_begins_in_one(start: Any) -> None:
    kit = await start(team_product(billed="organization"))
    story, acme = await begin(kit)
    status, own = await story.ask(story.ada, "GET", "/v1/organizations")
    assert (status, [(one["name"], one["plan"], one["role"]) for one in own["items"]]) == (
        200,
        # The other was made without anybody's session.
        [("Acme", "free", "owner"), ("Ada's team", "free", "owner")],
    )
    _made, token = await invited(kit, acme, "grace@elsewhere.example", story.ada)
    # She signs up because of it: then it is the one that she begins in.
    grace = await somebody(kit, "Grace", email="Grace@elsewhere.example")
    assert (await story.ask(grace, "GET", "/v1/me"))[1]["organization_id"] is None
    assert (await story.accept(grace, token))[0] == 200
    assert (await story.ask(grace, "GET", "/v1/me"))[1]["organization_id"] == str(acme.id)
    linked = await somebody(kit, "evil.example", email="no.name@elsewhere.example")
    assert (await story.ask(linked, "GET", "/v1/organizations"))[1]["items"][0]["name"] == "no name's team"
    # One more is made by hand, and has a holder too.
    _status, made = await story.ask(grace, "POST", "/v1/organizations", {"name": "Hopper Labs"})
    assert (made["plan"], made["is_current"], made["seats"]["limit"]) == ("free", True, 3)
    await kit.move(seconds=1)
    status, chosen = await story.ask(grace, "PUT", "/v1/me/organization", {"organization_id": str(acme.id)})
    assert (status, chosen["is_current"], chosen["role"]) == (200, True, "member")
    assert (await story.ask(grace, "GET", "/v1/me"))[1]["organization_id"] == str(acme.id)
    # A session that begins later begins there, too.
    assert (await story.ask(await let_in(kit, grace), "GET", "/v1/me"))[1]["organization_id"] == str(acme.id)
