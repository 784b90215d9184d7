"""What ends with whom: a removed member, a banned owner, a closed account, a deleted organization. And handing over."""

from typing import Any

import pytest

from identity.mailbox import mailbox
from kernel.hearing import Ear, until
from kernel.hearing import told as notice
from organizations.people import (
    Somebody,
    ask,
    confirmed,
    invited,
    members,
    organization,
    seats,
    somebody,
    team_product,
)
from tenantry import Keys, Organizations
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.queries import users
from tenantry.kernel import Problem
from tenantry.kernel.notices import Notices
from tenantry.keys import authorize
from tenantry.organizations import actions, queries
from tenantry.organizations.errors import OwnsOrganizations
from tenantry.product import Product
from tenantry.testing import AppKit
from tenantry.testing.queries import latest_entries


def holding() -> Product:
    """Organizations hold plans and keys."""
    return team_product(billed="organization", keys=Keys("acme"), organizations=Organizations(seats=seats))


async def close(kit: AppKit, who: Somebody) -> None:
    async with kit.system.service() as ctx:
        await delete_user(ctx, who.id, reason="test")


async def told(kit: AppKit, subject: Any) -> list[str]:
    """What the audit log says of it, oldest first."""
    async with kit.system.service(writes=False) as ctx:
        entries = await latest_entries(ctx.db)
    return [one.action for one in reversed(entries) if one.subject_id == str(subject)]


async def works(kit: AppKit, secret: str) -> bool:
    try:
        await authorize(kit.system, secret)
    except Problem:
        return False
    return True


async def test_keys_outlive_their_maker_and_its_owners_ban_but_not_the_organization(start: Any) -> None:
    kit = await start(holding())
    client, ear = await kit.client(), Ear(kit.runtime.port(Notices))
    await ear.trusts()
    ada, grace = await somebody(kit, "Ada"), await somebody(kit, "Grace")
    acme = await organization(kit, ada, {"admin": grace})
    await actions.choose(grace.ctx, acme.id)
    made = await ask(client, grace, "POST", "/v1/keys", {"label": "robot"})
    assert made.status_code == 201, made.text
    secret, own = made.json()["secret"], f"/v1/organizations/{acme.id}"
    sent, token = await invited(kit, acme, "alan@example.com", grace)
    _back, way_back = await invited(kit, acme, grace.email, ada)
    await actions.remove(ada.ctx, acme.id, grace.id)
    # She has nothing of it any more, from her next request on, and no invitation leads back.
    assert (await ask(client, grace, "GET", own)).status_code == 404
    assert (await ask(client, grace, "GET", "/v1/me")).json()["organization_id"] != str(acme.id)
    assert (await ask(client, grace, "GET", "/v1/keys")).json()["items"] == []
    with pytest.raises(Problem, match="invitation_over"):
        await actions.accept(grace.ctx, way_back)
    async with kit.system.service(writes=False) as ctx:
        found = await queries.invitations.by_token(ctx.db, token)
    assert found is not None
    assert (found.invitation.id, found.invitation.status) == (sent.id, "revoked")
    assert await works(kit, secret)
    async with kit.system.service() as ctx:
        await ban_user(ctx, ada.id, reason="test")
    assert await works(kit, secret)
    assert await members(kit, acme.id) == {ada.id: "owner"}
    await actions.delete(ada.ctx, acme.id)
    # Every process is told, in order: what was told before the marker has been heard with it.
    marker = await notice(kit)
    await until(lambda: marker in ear.heard)
    assert not await works(kit, secret)
    assert await told(kit, acme.id) == [
        "organization.created", "organization.member_removed", "organization.deleted",
    ]  # fmt: skip


async def test_whoever_closes_their_account_hands_over_first(kit: AppKit) -> None:
    client = await kit.client()
    ada, grace = await somebody(kit, "Ada"), await somebody(kit, "Grace")
    acme = await organization(kit, ada, {"member": grace})
    alone, hers = await organization(kit, ada, name="Alone"), await organization(kit, grace, {"admin": ada})
    with pytest.raises(OwnsOrganizations) as refused:
        await close(kit, ada)
    assert refused.value.extra["organizations"] == [{"id": str(acme.id), "name": "Acme"}]
    async with kit.system.service(writes=False) as ctx:
        assert await users.by_id(ctx.db, ada.id) is not None
    assert len(await members(kit, alone.id)) == 1
    status = await ask(client, ada, "POST", f"/v1/organizations/{acme.id}/transfer", {"user_id": str(grace.id)})
    assert status.status_code == 204
    assert await members(kit, acme.id) == {ada.id: "admin", grace.id: "owner"}
    for one in (ada, grace):
        (mail,) = await mailbox(kit, one.email)
        assert f"Ada ({ada.email}) made Grace ({grace.email}) the owner of Acme" in mail.text
    await close(kit, ada)
    assert [await members(kit, one.id) for one in (acme, alone, hers)] == [
        {grace.id: "owner"}, {}, {grace.id: "owner"},
    ]  # fmt: skip
    assert await told(kit, acme.id) == ["organization.created", "organization.transferred", "organization.left"]
    assert await told(kit, alone.id) == ["organization.created", "organization.deleted"]


async def test_who_finds_a_browser_open_hands_no_organization_over_and_deletes_none(kit: AppKit) -> None:
    client = await kit.client()
    ada, grace = await somebody(kit, "Ada"), await somebody(kit, "Grace")
    acme = await organization(kit, ada, {"member": grace})
    path, to = f"/v1/organizations/{acme.id}", {"user_id": str(grace.id)}
    doors: list[tuple[str, str, Any]] = [("POST", f"{path}/transfer", to), ("DELETE", path, None)]
    await kit.move(minutes=11)
    for door in doors:
        # Whoever may not do it at all is told that.
        assert (await ask(client, grace, *door)).json()["code"] == "request.forbidden"
        assert (await ask(client, ada, *door)).json()["code"] == "identity.confirmation_needed"
    headers = {"Authorization": f"Bearer {ada.token}", "accept": "text/html"}
    for what in ("transfer", "delete"):
        form = {**to, "typed": "Acme"}
        sent = await client.post(f"/team/{acme.id}/{what}", data=form, headers=headers)
        assert (sent.status_code, sent.headers["location"]) == (303, "/auth/confirm?return_to=%2Fteam")
    assert await members(kit, acme.id) == {ada.id: "owner", grace.id: "member"}
    await confirmed(kit, ada)
    for door in doors[:1]:
        assert (await ask(client, ada, *door)).status_code == 204
    assert (await ask(client, ada, *doors[1])).json()["code"] == "request.forbidden"


async def test_nobody_who_is_banned_is_handed_it_and_nobody_changes_the_owner(kit: AppKit) -> None:
    client = await kit.client()
    ada, grace = await somebody(kit, "Ada"), await somebody(kit, "Grace")
    acme = await organization(kit, ada, {"admin": grace})
    async with kit.system.service() as ctx:
        await ban_user(ctx, grace.id, reason="test")
    path = f"/v1/organizations/{acme.id}"
    answer = await ask(client, ada, "POST", f"{path}/transfer", {"user_id": str(grace.id)})
    assert (answer.status_code, answer.json()["code"]) == (409, "organizations.owner_blocked")
    # To whom it belongs already: nothing happens.
    assert (await ask(client, ada, "POST", f"{path}/transfer", {"user_id": str(ada.id)})).status_code == 204
    for role in ("owner", "king"):
        sent = await ask(client, ada, "PATCH", f"{path}/members/{grace.id}", {"role": role})
        assert sent.status_code == 422
    assert await told(kit, acme.id) == ["organization.created"]
    assert await members(kit, acme.id) == {ada.id: "owner", grace.id: "admin"}


@pytest.mark.parametrize("ends", ["demoted", "leaves"])
async def test_who_is_no_admin_any_more_has_no_invitations_open(kit: AppKit, ends: str) -> None:
    ada, grace = await somebody(kit, "Ada"), await somebody(kit, "Grace")
    acme = await organization(kit, ada, {"admin": grace})
    tokens = [(await invited(kit, acme, f"{by.id}@example.com", by))[1] for by in (ada, grace)]
    if ends == "leaves":
        await actions.leave(grace.ctx, acme.id)
    else:
        await actions.change_role(grace.ctx, acme.id, grace.id, "member")
    async with kit.system.service(writes=False) as ctx:
        found = [await queries.invitations.by_token(ctx.db, token) for token in tokens]
    assert [one and one.invitation.status for one in found] == ["pending", "revoked"]
