"""An organization's keys and quotas: members share them, roles say who makes keys, and nobody takes them along."""

import pytest
from sqlalchemy import update

from organizations_billed.team import HTML, ROLE, Team, outcome, requests
from tenantry.holders.models import Holders
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.kernel.context import Context
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.problems import Unauthenticated
from tenantry.keys import KnownKeys
from tenantry.keys.authorize import ask_of
from tenantry.keys.errors import KeyUnknown
from tenantry.keys.service_keys import issue_for
from tenantry.organizations.answering import grant_plan_to
from tenantry.usage import consume

_suspend = statement(
    update(Holders).where(Holders.id == param("holder")).values(suspended_at=param("at", UtcDateTime()))
)


async def made(browser, **more):
    answer = await browser.post("/v1/keys", json={"label": "robot", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def shown(key):
    return {"X-API-Key": key["secret"]}


async def forget(team: Team):
    """As a notice does within a second."""
    team.kit.runtime.port(KnownKeys).forget(await team.holder())


async def late(team: Team, known):
    """What a call is told whose process remembers the key of a holder that is gone."""
    ctx = Context(team.kit.runtime, known.by.actor, team.kit.system.origin, known.holder)
    with pytest.raises(Unauthenticated):
        await consume(ctx, requests)
    with pytest.raises(KeyUnknown):
        await ask_of(team.kit.system, requests, 1, known)


async def test_roles_say_who_makes_keys_and_members_see_them(team):
    key = await made(team.grace)
    assert (key["state"], key["made_by"]) == ("active", str(team.users["grace"]))
    at = f"/v1/keys/{key['id']}"
    for browser in (team.ada, team.grace, team.alan):
        assert [one["id"] for one in (await browser.get("/v1/keys")).json()["items"]] == [key["id"]]
        for path in ("", "/calls", "/calls.csv", "/stats"):
            assert (await browser.get(at + path)).status_code == 200
    assert (await team.mallory.get("/v1/keys")).json()["items"] == []

    tries = [("POST", "/v1/keys", {"label": "x"}), ("PATCH", at, {"label": "x"}), ("POST", f"{at}/rotate", {}),
             ("DELETE", at, None)]  # fmt: skip
    for method, path, body in tries:
        refused = await team.alan.request(method, path, json=body)
        assert (*outcome(refused), refused.json()["permission"]) == (*ROLE, "keys:write"), path
        if path != "/v1/keys":
            assert outcome(await team.mallory.request(method, path, json=body)) == (404, "keys.not_found"), path

    page = (await team.alan.get("/keys", headers=HTML)).text
    assert "robot" in page
    assert "by Grace Hopper" in page
    for path in ("/keys", f"/keys/{key['id']}"):
        text = (await team.alan.get(path, headers=HTML)).text
        # What is left of forms is the frame's own.
        assert not [one for one in ('action="/keys', "/rotate", "/revoke", "/rename") if one in text]
        assert 'action="/keys' in (await team.ada.get(path, headers=HTML)).text
    refused = await team.alan.post("/keys", data={"label": "x"}, headers=HTML)
    assert (refused.status_code, "Your role in this organization does not allow this." in refused.text) == (403, True)


async def test_a_key_outlives_who_made_it_and_goes_with_its_organization(team):
    program, key = await team.kit.client(), await made(team.grace)

    async def works():
        await forget(team)
        return outcome(await program.get("/v1/work", headers=shown(key)))

    assert await works() == (200, None)
    removed = await team.ada.delete(f"/v1/organizations/{team.id}/members/{team.users['grace']}")
    assert removed.status_code == 204
    # She keeps nothing: her session works for what is her own now.
    assert outcome(await team.grace.get(f"/v1/keys/{key['id']}")) == (404, "keys.not_found")
    assert outcome(await team.grace.put("/v1/me/organization", json={"organization_id": str(team.id)}))[0] == 404
    async with team.kit.system.service() as ctx:
        await ban_user(ctx, team.users["grace"], reason="test")
    assert await works() == (200, None)
    async with team.kit.system.service() as ctx:
        await delete_user(ctx, team.users["grace"], reason="test")
    assert await works() == (200, None)
    # Nor does it stop with the owner's ban.
    async with team.kit.system.service() as ctx:
        await ban_user(ctx, team.users["ada"], reason="test")
    assert await works() == (200, None)

    by_operator = await issue_for(team.kit.system, "ada@example.com", label="service", scopes=["authorize"])
    assert by_operator.key.holder_id == await team.holder()
    for at, told in ((team.kit.clock.now(), (403, "keys.holder_suspended")), (None, (200, None))):
        async with team.kit.system.service() as ctx:
            await ctx.db.run(_suspend, holder=await team.holder(), at=at)
        assert await works() == told

    async with team.kit.system.service() as ctx:
        await lift_ban(ctx, team.users["ada"], reason="test")
    ada = await team.kit.sign_in("ada")
    holder = await team.holder()
    known = await team.kit.runtime.port(KnownKeys).find(team.kit.system, key["secret"])
    assert (await ada.delete(f"/v1/organizations/{team.id}")).status_code == 204
    # Also by a process that has not heard of it yet: what it remembers pays for nothing.
    await late(team, known)
    team.kit.runtime.port(KnownKeys).forget(holder)
    assert outcome(await program.get("/v1/work", headers=shown(key))) == (401, "keys.unknown")
    assert (await ada.get("/v1/keys")).json()["items"] == []


async def test_members_share_quotas_and_those_who_answer_are_written_to(team):
    program, key = await team.kit.client(), await made(team.ada)
    calls = [
        (team.ada, {}),
        (team.grace, {}),
        (team.alan, {}),
        (program, shown(key)),
        (team.alan, {}),
        (team.alan, {}),
        (team.ada, {}),
        (program, shown(key)),
        (team.mallory, {}),
    ]
    got = [(await one.get("/v1/work", headers=headers)).status_code for one, headers in calls]
    assert got == [200] * 5 + [429] * 3 + [200]
    for browser, used in ((team.ada, 5), (team.alan, 5), (team.mallory, 1)):
        [item] = (await browser.get("/v1/me/usage")).json()["items"]
        assert (item["used"], item["remaining"]) == (used, 5 - used)
    file = (await team.alan.get("/v1/me/usage/export.csv")).text
    assert ",5,5\r\n" in file
    told = await team.mails()
    assert {to for to, _, _ in told} == {"ada@example.com", "grace@example.com"}
    assert "This is about the organization" in await team.read_mail(told[0][2])

    granted = await grant_plan_to(team.kit.system, str(team.id), "pro", reason="test")
    assert (granted.before, granted.plan, granted.email) == ("free", "pro", "ada@example.com")
    assert await team.plans() == ["pro", "pro", "pro", "free"]
    assert (await team.alan.get("/v1/work")).json() == {"plan": "pro"}


async def test_the_same_idempotency_key_is_another_wish_for_another_organization(team):
    named = {"Idempotency-Key": "one"}
    first = await team.grace.post("/v1/keys", json={"label": "robot"}, headers=named)
    again = await team.grace.post("/v1/keys", json={"label": "robot"}, headers=named)
    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])
    mine = next(one for one in (await team.grace.get("/v1/organizations")).json()["items"] if one["role"] == "owner")
    await team.grace.put("/v1/me/organization", json={"organization_id": mine["id"]})
    other = await team.grace.post("/v1/keys", json={"label": "robot"}, headers=named)
    assert outcome(other) == (422, "idempotency.key_reused")


async def test_a_trial_is_the_persons_and_goes_to_the_organization_by_role(team):
    for browser, status in ((team.alan, 403), (team.grace, 200)):
        trial = (await browser.post("/v1/trials", json={"name": "Acme"})).json()["id"]
        issued = await browser.post(f"/v1/trials/{trial}/keys", json={"label": "trial-robot"})
        assert issued.status_code == 201, issued.text
        # Of one's own trial a member may do everything but give it away.
        assert "trial-robot" in (await browser.get(f"/trials/{trial}", headers=HTML)).text
        assert (await browser.post(f"/v1/trials/{trial}/convert")).status_code == status
    assert [one["label"] for one in (await team.ada.get("/v1/keys")).json()["items"]] == ["trial-robot"]
    assert (await team.mallory.get("/v1/keys")).json()["items"] == []
