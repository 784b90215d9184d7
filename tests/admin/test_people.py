"""What an operator sees of people and does with them, each for a reason; and what no page ever shows."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from admin.acting import Office, link, links, team_of
from billing.conftest import paid_product
from billing.truth import subscription_of
from tenantry import Credits, Google, Keys, Product
from tenantry.admin.queries import users
from tenantry.holders.organizations import by_organization, open_for_organization
from tenantry.identity.models import Sessions, Users
from tenantry.kernel import new_id
from tenantry.kernel.database import statement
from tenantry.kernel.listing import Place
from tenantry.keys.models import ApiKeys

WHY = "asked by phone"
_hashes = [statement(select(Sessions.token_hash)), statement(select(ApiKeys.hash))]


async def act(office: Any, path: str, status: int = 303, **typed: str) -> str:
    """Send a form of ada's; where it leads, or what it says."""
    answer = await office.ada.post(path, data=typed)
    assert answer.status_code == status, answer.text
    return str(answer.headers["location"]) if status == 303 else answer.text


async def done(office: Any, path: str, **typed: str) -> str:
    """Send a form without a reason, which is refused, and then with one; the page that follows."""
    assert "Say why" in await act(office, path, 422, **typed)
    return await office.see(await act(office, path, reason=WHY, **typed))


@pytest.fixture
async def grace(office) -> str:
    """Where grace's page is."""
    return f"/admin/users/{(await office.grace.get('/v1/me')).json()['id']}"


async def test_people_are_found_by_parts_of_what_they_are_called(office, grace):
    async def found(**asked: str) -> set[str]:
        return {one.rpartition("/")[2] for one in links(await office.see("/admin/users", **asked), "/admin/users/")}

    ada, hers = str(office.operator), grace.rpartition("/")[2]
    assert await found() == {ada, hers}
    for text in ("grace@example.com", "GRACE@", "race@ex", "hOPPer", hers):
        assert await found(q=text) == {hers}, text
    for text in ("%", "_", "!", "nobody", "gr%ce", "x" * 300, str(new_id())):
        assert await found(q=text) == set(), text
    assert await found(q="example.com") == {ada, hers}
    assert await found(role="ADMIN") == await found(role="ADMIN", q="example", plan="free") == {ada}
    assert await found(role="USER") == await found(role="USER", plan="free") == {hers}
    assert await found(role="PREMIUM") == await found(role="BANNED") == await found(plan="pro") == set()
    await office.deliver(office.truth.put(subscription_of(None, office.truth.sell("pro"), email="grace@example.com")))
    assert await found(role="PREMIUM") == await found(plan="pro") == {hers}
    assert (await office.ada.get(f"/admin/users/{new_id()}")).status_code == 404
    assert (await office.ada.get("/admin/users", params={"before": "x"})).status_code == 422


async def test_a_search_costs_the_same_however_many_there_are(office):
    """Each page looks through so many people and no more; the next one goes on where it ended."""
    rows = [{"id": new_id(), "email": f"{number:03}@many.example"} for number in range(60)]
    async with office.kit.system.service() as ctx:
        await ctx.db.run(statement(insert(Users).values(rows)))
    page = await office.see("/admin/users", q="@many.example")
    assert len(links(page, "/admin/users/")) == users.SHOWN_MAX
    rest = await office.see(link(page, "next"))
    assert len(links(rest, "/admin/users/")) == 10
    assert not link(rest, "next")
    async with office.kit.system.service(writes=False) as reading:
        # Of the first so many none fits: that page is empty, and the next one goes on.
        first = await users.search(reading.db, "hopper", look_through=20)
        second = await users.search(reading.db, "hopper", Place.of(first.older), look_through=50)
    assert (first.rows, bool(first.older)) == ([], True)
    assert ([one.name for one in second.rows], second.older) == (["Grace Hopper"], "")


async def test_a_person_whole_and_no_secret(office, grace):
    made = await office.grace.post("/v1/keys", json={"label": "their program"})
    secret = made.json()["secret"]
    await office.deliver(office.truth.put(subscription_of(None, office.truth.sell("pro"), email="grace@example.com")))
    team = await team_of(office, office.operator, UUID(grace[-36:]))
    page = await office.see(grace)
    for shown in ("grace@example.com", "Grace Hopper", "their program", "sub_1", "Compilers", "key.issued", "Premium"):
        assert shown in page, shown
    # About oneself there is less to do: nobody shuts themselves out.
    own = await office.see(f"/admin/users/{office.operator}")
    assert all(f"{grace}/{one}" in page for one in ("ban", "close", "role", "plan", "impersonate"))
    assert links(own, f"/admin/users/{office.operator}/plan")
    assert not links(own, f"/admin/users/{office.operator}/ban")
    listed = await office.see("/admin/organizations", owner="ADA@example.com")
    assert links(listed, "/admin/organizations/") == [f"/admin/organizations/{team}"]
    assert "Nothing fits" in await office.see("/admin/organizations", owner="grace@example.com")
    whole = await office.see(f"/admin/organizations/{team}")
    assert "grace@example.com" in whole
    assert "Member" in whole
    # People are billed here: an organization holds nothing that a plan could be given to.
    assert (await office.ada.post(f"/admin/organizations/{team}/plan", data={"plan": "pro"})).status_code == 404
    cookies = [*office.ada.cookies.values(), *office.grace.cookies.values()]
    async with office.kit.system.service(writes=False) as reading:
        hashes = [one.hex() for asked in _hashes for one in await reading.db.rows(asked)]
    assert len(hashes) == 3
    paths = [grace, *links(page, "/admin/keys/"), f"/admin/organizations/{team}", *links(page, f"{grace}/")]
    for path in paths:
        text = await office.see(path)
        assert not [one for one in (secret, *cookies, *hashes) if one in text], path


async def test_an_organization_that_is_billed_is_given_a_plan_and_credits(start):
    plans = paid_product().plans
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans, billed="organization", credits=Credits()))
    office = await Office.open(kit, None)
    team = UUID(await team_of(office, office.operator))
    async with kit.system.service() as ctx:
        held = await by_organization(ctx, team) or await open_for_organization(ctx, team)
    path = f"/admin/organizations/{team}"
    assert links(await office.see("/admin/organizations", plan="free"), path) == [path]
    assert "The plan was given." in await done(office, f"{path}/plan", plan="pro")
    assert "plan" in await act(office, f"{path}/plan", 422, plan="golden", reason=WHY)
    assert links(await office.see("/admin/organizations", plan="pro"), path) == [path]
    assert not links(await office.see("/admin/organizations", plan="free"), path)
    await act(office, f"/admin/credits/{held.id}", amount="70", reason=WHY)
    shown = await office.see(path)
    assert f"/admin/credits/{held.id}" in shown
    assert "holder.plan_set" in shown
    assert "Compilers" in await office.see("/admin/credits")
    assert [(who, why) for who, _, _, why in await office.audited("holder.plan_set")] == [(office.operator, WHY)]


async def test_an_operator_revokes_a_key_of_an_organization_whatever_they_are_in_it(start):
    plans = paid_product().plans
    kit = await start(Product("Acme", sign_in=[Google()], plans=plans, billed="organization", keys=Keys()))
    office = await Office.open(kit, None)
    owner = UUID((await office.grace.get("/v1/me")).json()["id"])
    team = await team_of(office, owner, office.operator)
    async with kit.system.service() as ctx:
        await open_for_organization(ctx, UUID(team))
    await office.grace.post("/v1/keys", json={"label": "leaked"})
    (key,) = links(await office.see(f"/admin/organizations/{team}"), "/admin/keys/")
    await act(office, f"{key}/revoke", reason=WHY)
    assert [(who, why) for who, _, _, why in await office.audited("key.revoked")] == [(office.operator, WHY)]


async def test_plan_sessions_and_keys_of_somebody_else(office, grace):
    user = grace.rpartition("/")[2]
    page = await done(office, f"{grace}/plan", plan="business")
    assert "The plan was given." in page
    assert (await office.grace.get("/v1/me")).json()["plan"]["name"] == "business"
    assert "plan" in await act(office, f"{grace}/plan", 422, plan="golden", reason=WHY)

    made = (await office.grace.post("/v1/keys", json={"label": "leaked"})).json()
    program = await office.kit.client(Authorization=f"Bearer {made['secret']}")
    # The key is known: it only lacks the scope.
    assert (await program.get("/v1/me/usage")).status_code == 403
    (key,) = links(await office.see(grace), "/admin/keys/")
    assert "leaked" in await office.see(key)
    page = await done(office, f"{key}/revoke")
    assert "The key is revoked." in page
    assert not links(page, "/admin/keys/")
    assert (await program.get("/v1/me/usage")).status_code == 401

    other = await office.kit.sign_in("grace")
    sessions = links(page := await office.see(grace), f"{grace}/sessions/")
    assert len(sessions) == 2
    assert (await office.ada.get(f"/admin/users/{office.operator}/sessions/{sessions[0][-36:]}")).status_code == 404
    assert "grace@example.com" in await office.see(sessions[0])
    await done(office, sessions[0])
    assert sorted([(await one.get("/v1/me")).status_code for one in (other, office.grace)]) == [200, 401]
    assert "session" in await act(office, sessions[0], 404, reason=WHY)
    await done(office, f"{grace}/sessions")
    assert [(await one.get("/v1/me")).status_code for one in (other, office.grace)] == [401, 401]
    assert "Not signed in anywhere" in await office.see(grace)

    for action, subject in (("session.revoked", user), ("session.all_revoked", user), ("key.revoked", key[-36:])):
        assert (office.operator, action, subject, WHY) in await office.audited(action)
    ((actor, _, _, reason),) = await office.audited("holder.plan_set")
    assert (actor, reason) == (office.operator, WHY)


async def test_what_is_grave_asks_who_the_operator_is_once_more(office, grace):
    await office.kit.move(timedelta(minutes=11))
    before = await office.audited("user.banned")
    for name in ("ban", "lift", "role", "close", "impersonate"):
        for method in ("GET", "POST"):
            answer = await office.ada.request(method, f"{grace}/{name}", data={"reason": WHY, "role": "ADMIN"})
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/auth/confirm"), name
    assert await office.audited("user.banned") == before
    for name in ("plan", "sessions"):
        assert (await office.ada.get(f"{grace}/{name}")).status_code == 200
    assert (await office.grace.get("/v1/me")).status_code == 200


async def test_ban_role_and_closing(office, grace):
    user = grace.rpartition("/")[2]
    last_day = office.kit.clock.now().date() + timedelta(days=3)
    for until in ("2020-01-01", "soon", "9999-12-31"):
        assert "Write a day" in await act(office, f"{grace}/ban", 422, until=until, reason=WHY)
    page = await done(office, f"{grace}/ban", until=last_day.isoformat())
    assert "They are shut out everywhere." in page
    assert WHY in page
    assert (await office.grace.get("/v1/me")).status_code == 401
    assert links(await office.see("/admin/users", role="BANNED"), "/admin/users/") == [grace]
    await done(office, f"{grace}/lift")
    assert "not" in await act(office, f"{grace}/lift", 404, reason=WHY)
    await done(office, f"{grace}/ban", until=last_day.isoformat())
    await office.kit.move(timedelta(days=4))
    assert not links(await office.see("/admin/users", role="BANNED"), "/admin/users/")
    ada = await office.kit.sign_in("ada", client=office.ada)
    grace_again = await office.kit.sign_in("grace")
    await done(office, f"{grace}/role", role="ADMIN")
    assert (await grace_again.get("/admin")).status_code == 200
    assert "Operator no more" in await office.see(f"{grace}/role")
    await done(office, f"{grace}/role", role="USER")
    assert (await grace_again.get("/admin")).status_code == 404
    for name in ("ban", "role", "close"):
        typed = {"address": "ada@example.com", "reason": WHY}
        assert "themselves" in await act(office, f"/admin/users/{office.operator}/{name}", 409, **typed), name
    assert "address of the account" in await act(office, f"{grace}/close", 422, address="ada@example.com", reason=WHY)
    page = await done(office, f"{grace}/close", address="GRACE@example.com")
    assert "The account is closed." in page
    assert (await grace_again.get("/v1/me")).status_code == 401
    assert (await ada.get("/v1/me")).status_code == 200
    for action in ("user.banned", "user.ban_lifted", "user.role_set", "user.deleted"):
        assert (office.operator, action, user, WHY) in await office.audited(action), action


async def test_looking_through_somebodys_eyes_and_back(office, grace):
    own = f"/admin/users/{office.operator}/impersonate"
    assert "your own" in await act(office, own, 409, reason=WHY)
    assert "Say why" in await act(office, f"{grace}/impersonate", 422)
    assert await act(office, f"{grace}/impersonate", reason=WHY) == "/dashboard"
    assert "grace@example.com" in (await office.ada.get("/v1/me")).text
    assert (await office.ada.get("/admin")).status_code == 404
    assert (await office.ada.post("/v1/keys", json={"label": "mine"})).status_code == 403
    # Another operator ends the look: it opens nothing any more, and its person can still read that it was.
    other = await office.kit.sign_in("ada")
    looks = links((await other.get(grace)).text, f"{grace}/sessions/")
    assert len(looks) == 2
    assert (await other.post(looks[0], data={"reason": WHY})).status_code == 303
    assert (await office.ada.get("/v1/me")).status_code == 401
    assert WHY in (await office.grace.get("/v1/me/sessions")).text
    assert [one[0] for one in await office.audited("impersonation.ended")] == [office.operator]
    ended = await office.ada.post("/auth/impersonation/end")
    assert (ended.status_code, ended.headers["location"]) == (303, "/admin")
    assert WHY in await office.see(grace)
    assert (office.operator, "impersonation.began", grace[-36:], WHY) in await office.audited("impersonation.began")
