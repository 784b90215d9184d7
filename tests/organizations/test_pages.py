"""`/team` and `/invitations`, as a browser without JavaScript reads them; and for whom every page says one works."""

import re
from uuid import uuid4

import pytest
from sqlalchemy import update

from conftest import small_product
from organizations.people import team_product
from tenantry import Keys
from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit

HTML = {"accept": "text/html"}
FOR_MEMBERS = ("/leave",)
FOR_ADMINS = (*FOR_MEMBERS, "/rename", "/invitations")
FOR_OWNERS = (*FOR_ADMINS, "/transfer", "/delete")
unprove = statement(update(Users).where(Users.email == param("address")).values(email_verified_at=None))


async def person(kit: AppKit, name: str):
    client = await kit.sign_in(name)
    client.headers.update(HTML)
    return client


async def post(client, path, **form):
    return await client.post(path, data=form)


async def done(client, path, **form):
    """Post a form that is taken; answers what the page after it is asked to say."""
    answer = await post(client, path, **form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("done=")[2]


async def organization_of(client) -> str:
    """The id of the organization that the team page shows."""
    return re.search(r"/team/([0-9a-f-]{36})/", (await client.get("/team")).text)[1]


async def link_to(kit: AppKit, address: str) -> str:
    """The address in the newest invitation to somebody, without the host."""
    reader = await kit.client()
    mails = re.findall(r"/mailbox/[0-9a-f-]{36}", (await reader.get("/mailbox", headers=HTML)).text)
    for mail in dict.fromkeys(mails):
        text = (await reader.get(mail, headers=HTML)).text
        if address in text and "/invitations?token=" in text:
            return re.search(r"/invitations\?token=\w+", text)[0]
    raise AssertionError(f"no invitation to {address}")


def forms(text: str) -> set[str]:
    """What of an organization the page offers to do, without what is about one member."""
    return set(re.findall(r'action="/team/[0-9a-f-]{36}(/[a-z]+)"', text))


def works_for(text: str) -> str:
    return re.search(r'working-name">([^<]*)<', text)[1]


@pytest.fixture
async def kit(start) -> AppKit:
    return await start(team_product(billed="organization", keys=Keys()))


async def test_every_page_says_for_whom_one_works_and_lets_one_choose(kit, statements):
    ada = await person(kit, "ada")
    own = await organization_of(ada)
    for refused in ("", "www.evil.example"):
        assert (await post(ada, "/team/new", name=refused)).status_code == 422
    assert await done(ada, "/team/new", name="Beta & Sons") == "created"
    beta = await organization_of(ada)
    for path in ("/dashboard", "/keys", "/usage"):
        shown = (await ada.get(path)).text
        assert works_for(shown) == "Beta &amp; Sons"
        assert re.search(r'class="page-of".*Beta &amp; Sons</p>', shown), path
        assert f'name="return_to" value="{path}"' in shown
        assert f'name="organization_id" value="{own}"' in shown
    assert 'class="page-of"' not in (await ada.get("/settings")).text
    for path, most in (("/team/new", 1), ("/team", 8)):
        # Who asks, and for whom they work, with all the names: one statement.
        with statements(kit) as count:
            await ada.get(path)
        assert count() <= most, path
    # What belongs to one organization is not there in another: one goes on at the list it was reached from.
    made = (await ada.post("/v1/keys", json={"label": "robot"})).json()["id"]
    assert 'name="return_to" value="/keys"' in (await ada.get(f"/keys/{made}")).text
    for back, where in (("/keys", "/keys"), ("https://evil.example", "/team?done=chosen")):
        chosen = await post(ada, "/team/choose", organization_id=own, return_to=back)
        assert (chosen.status_code, chosen.headers["location"]) == (303, where)
    assert works_for((await ada.get("/keys")).text) == "Ada Lovelace&#39;s team"
    assert "robot" not in (await ada.get("/keys")).text
    assert await done(ada, "/team/choose", organization_id=str(uuid4())) == "gone"
    # A window that still shows the other organization changes that one, and no other.
    assert await done(ada, f"/team/{beta}/rename", name="Gamma") == "renamed"
    assert works_for((await ada.get("/team")).text) == "Ada Lovelace&#39;s team"
    grace = await person(kit, "grace")
    for path in FOR_OWNERS:
        answer = await post(
            grace, f"/team/{beta}{path}", name="x", typed="Gamma", user_id=str(uuid4()), email="a@b.example"
        )
        assert answer.status_code == 404, path
    assert works_for((await grace.get("/team")).text) == "Grace Hopper&#39;s team"
    assert (await post(grace, "/auth/signout", return_to="https://evil.example")).headers["location"] == "/"


async def test_an_invitation_and_its_answer(kit):
    ada, nobody = await person(kit, "ada"), await kit.client(**HTML)
    own = await organization_of(ada)
    at = f"/team/{own}"
    refused = await post(ada, f"{at}/invitations", email="nonsense", role="admin")
    assert refused.status_code == 422
    assert 'value="nonsense"' in refused.text
    assert await done(ada, f"{at}/invitations", email="grace@example.com", role="member") == "invited"
    again = await post(ada, f"{at}/invitations", email="grace@example.com")
    assert again.status_code == 409
    assert "This address is invited already." in again.text
    assert await done(ada, f"{at}/invitations", email="mallory@example.com") == "invited"
    # Three seats, and all are taken.
    assert "All seats are taken" in (await ada.get("/team")).text
    assert (await post(ada, f"{at}/invitations", email="alan@example.com")).status_code == 409

    link = await link_to(kit, "grace@example.com")
    token = link.partition("=")[2]
    for method in ("HEAD", "GET", "GET"):
        shown = await nobody.request(method, link)
        assert shown.status_code == 200
        assert (shown.headers["referrer-policy"], shown.headers["cache-control"]) == ("strict-origin", "no-store")
    assert all(said in shown.text for said in ("Ada Lovelace (ada@example.com)", "grace@example.com", "Member"))
    assert not any(token in address for address in re.findall(r'href="([^"]*)"', shown.text))
    invitation = (
        "/invitations/" + re.search(r'href="/signin\?return_to=%2Finvitations%2F([0-9a-f-]{36})"', shown.text)[1]
    )
    assert (await nobody.get(invitation)).headers["location"].startswith("/signin?return_to=/invitations/")
    other = await ada.get(link)
    assert other.status_code == 403
    assert "This invitation is for somebody else" in other.text
    away = await post(ada, "/auth/signout", return_to=link)
    assert away.headers["location"] == link
    ada = await person(kit, "ada")
    # By its id alone it is there for nobody else, be it real or not.
    unknown = f"/invitations/{uuid4()}"
    answers = [await ada.get(path) for path in (invitation, unknown)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].text.replace(invitation, "").count("Beta") == answers[1].text.count("Beta")
    assert "There is no such invitation for you" in answers[0].text
    assert (await post(ada, f"{invitation}/accept")).status_code == 404

    grace = await person(kit, "grace")
    assert "You are invited to join" in (await grace.get("/dashboard")).text
    assert "Join Ada Lovelace" in (await grace.get(invitation)).text
    assert await done(grace, f"{invitation}/accept") == "joined"
    assert works_for((await grace.get("/usage")).text) == "Ada Lovelace&#39;s team"
    late = await nobody.get(link)
    assert late.status_code == 409
    assert "This invitation was accepted" in late.text
    assert "You are invited to join" not in (await grace.get("/dashboard")).text


async def test_an_invitation_that_cannot_be_accepted_says_why(kit):
    ada, nobody = await person(kit, "ada"), await kit.client(**HTML)
    at = f"/team/{await organization_of(ada)}"
    assert await done(ada, f"{at}/invitations", email="alan@example.com") == "invited"
    first = await link_to(kit, "alan@example.com")
    alan = await person(kit, "alan")
    async with kit.system.service() as ctx:
        await ctx.db.run(unprove, address="alan@example.com")
    unproven = await alan.get(first)
    assert unproven.status_code == 403
    assert "Your e-mail address is not proven yet" in unproven.text
    waiting = re.search(rf"{at}/invitations/[0-9a-f-]{{36}}", (await ada.get("/team")).text)[0]
    assert await done(ada, f"{waiting}/resend") == "resent"
    assert (await nobody.get(first)).status_code == 404
    await kit.move(days=8)
    ada = await person(kit, "ada")
    assert "Expired" in (await ada.get("/team")).text
    second = await link_to(kit, "alan@example.com")
    assert "This invitation has expired" in (await nobody.get(second)).text
    assert await done(ada, f"{waiting}/revoke") == "revoked"
    assert "This invitation was taken back" in (await nobody.get(second)).text


async def test_who_may_do_what_is_shown_and_the_rest_refused(kit):
    ada, grace = await person(kit, "ada"), await person(kit, "grace")
    own = await organization_of(ada)
    at = f"/team/{own}"
    await done(ada, f"{at}/invitations", email="grace@example.com")
    invited = re.search(r"/invitations/[0-9a-f-]{36}", (await grace.get("/dashboard")).text)[0]
    await done(grace, f"{invited}/accept")
    assert "/members/" not in (await grace.get("/team")).text
    of_grace = re.search(r"/members/([0-9a-f-]{36})/role", (await ada.get("/team")).text)[1]
    given = {"name": "x", "typed": "Ada Lovelace's team", "user_id": of_grace, "email": "a@b.example", "role": "admin"}
    people = [f"/members/{of_grace}/role", f"/members/{of_grace}/remove"]
    assert forms((await ada.get("/team")).text) == set(FOR_OWNERS) - {"/leave"}
    assert forms((await grace.get("/team")).text) == set(FOR_MEMBERS)
    for path in [*FOR_OWNERS, people[0]]:
        if path not in FOR_MEMBERS:
            refused = await post(grace, f"{at}{path}", **given)
            assert (refused.status_code, 'role="alert"' in refused.text) == (403, True), path
    assert await done(ada, f"{at}{people[0]}", role="admin") == "role"
    assert forms((await grace.get("/team")).text) == set(FOR_ADMINS)
    for path in ("/transfer", "/delete"):
        assert (await post(grace, f"{at}{path}", **given)).status_code == 403

    assert "Hand the organization over before you leave" in (await ada.get("/team")).text
    assert (await post(ada, f"{at}/leave")).status_code == 409
    for path in ("/transfer", "/delete"):
        refused = await post(ada, f"{at}{path}", **{**given, "typed": "something else"})
        assert refused.status_code == 422
        assert "Type the name as it stands here." in refused.text
    assert await done(ada, f"{at}/transfer", **given) == "transferred"
    assert forms((await ada.get("/team")).text) == set(FOR_ADMINS)
    assert await done(ada, f"{at}/leave") == "left"
    assert (await post(ada, f"{at}/rename", name="mine")).status_code == 404
    assert await done(ada, "/team/new", name="New") == "created"
    assert await done(grace, f"{at}/delete", **given) == "deleted"
    assert works_for((await grace.get("/team")).text) == "Grace Hopper&#39;s team"


async def test_where_people_are_billed_an_organization_holds_nothing(start):
    kit = await start(team_product(keys=Keys()))
    ada = await person(kit, "ada")
    shown = (await ada.get("/team")).text
    assert works_for(shown) == "Ada Lovelace"
    assert "You work for yourself." in shown
    assert "Create the organization" in shown
    assert await done(ada, "/team/new", name="Beta") == "created"
    shown = (await ada.get("/keys")).text
    assert works_for(shown) == "Beta"
    assert 'class="page-of"' not in shown
    assert "its API keys stop at once" not in (await ada.get("/team")).text
    assert await done(ada, f"/team/{await organization_of(ada)}/delete", typed="Beta") == "deleted"
    assert "The organization was deleted." in (await ada.get("/team?done=deleted")).text


async def test_without_organizations_there_is_no_team(start):
    kit = await start(small_product())
    ada = await person(kit, "ada")
    assert "/team" not in (await ada.get("/dashboard")).text
    assert [(await ada.get(path)).status_code for path in ("/team", "/invitations")] == [404, 404]
