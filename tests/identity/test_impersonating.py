"""Point 4: an operator looks through a person's eyes: read-only unless said, for an hour, and everybody can see it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import APIRouter, Request, Response, WebSocket
from sqlalchemy import update

from identity.mailbox import mailbox, token_in
from identity.operator_steps import entries, known
from identity.password_steps import PASSWORD
from tenantry import Google, Password
from tenantry.fastapi import CurrentUser
from tenantry.identity import operating, queries
from tenantry.identity.actions.admission import prove_address
from tenantry.identity.impersonating import look_through
from tenantry.identity.models import Users
from tenantry.kernel import Module, Open, new_id
from tenantry.kernel.audit import audit
from tenantry.kernel.database import param, statement
from tenantry.testing.kit import PUBLIC_URL

WHY = "a question about the invoice"
LOCKED = [
    ("PATCH", "/v1/me"),
    ("DELETE", "/v1/me/sessions?current=true"),
    ("POST", "/v1/auth/confirm"),
    ("POST", "/auth/confirm/mail"),
    ("POST", "/settings/profile"),
    ("POST", "/settings/second-factor/app"),
    ("POST", "/settings/password"),
    ("POST", "/settings/accounts/demo/connect"),
    ("POST", "/v1/keys"),
    ("POST", "/trials/x/keys"),
    ("POST", "/v1/checkout"),
    ("POST", "/billing/checkout"),
    ("POST", "/admin/users/x/impersonate"),
]
router = APIRouter()
_unprove = statement(update(Users).values(email_verified_at=None).where(Users.id == param("user")))


@router.post("/look/{user_id}")
async def look(request: Request, ctx: Open, user_id: UUID, reason: str = WHY, *, may_write: bool = False) -> Response:
    """What a page of operators does."""
    return await look_through(request, ctx, user_id, reason=reason, may_write=may_write)


@router.post("/work")
async def work(ctx: Open) -> dict[str, str]:
    """Something that a person may do, and nobody closes to operators."""
    async with ctx.unit() as working:
        await audit(working, "work.done", subject=("user", ctx.user_id))
    return {"user": str(ctx.user_id)}


@router.websocket("/live")
async def live(socket: WebSocket, _user: CurrentUser) -> None:
    """Whatever is said here may change something."""
    await socket.accept()
    await socket.close()


# What other rooms have, which this product does without; and a word that only begins as the API does.
for path in (
    "/v1tasks",
    "/v1/keys",
    "/trials/x/keys",
    "/v1/checkout",
    "/billing/checkout",
    "/admin/users/x/impersonate",
):
    router.add_api_route(path, work, methods=["POST"])


@pytest.fixture
async def team(start, product_of):
    """The kit; Ada, an operator, and Grace; both browsers and ids."""
    kit = await start(
        product_of(modules=[Module("looking", routers=[router])], session_lifetime=timedelta(hours=4), sliding=True)
    )
    (ada, ada_id), (grace, grace_id) = await known(kit, "ada", "grace")
    await operating.set_role(kit.system, ada_id, "ADMIN", reason="the first")
    return kit, ada, ada_id, grace, grace_id


async def name_of(browser):
    answer = await browser.get("/v1/me")
    return answer.json().get("email", "").partition("@")[0] or answer.status_code


async def codes(browser, doors):
    return {(await browser.request(method, path, json={})).json()["code"] for method, path in doors}


async def shake_hands(kit, browser):
    """What a websocket's handshake is answered."""
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    headers = {"cookie": f"session={browser.cookies['session']}", "host": "127.0.0.1:8000", "origin": PUBLIC_URL}
    scope = {"type": "websocket", "path": "/live", "raw_path": b"/live", "query_string": b"", "subprotocols": []}
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    await kit.app({**scope, "headers": given, "client": None, "extensions": {}}, receive, send)
    return sent[0].get("status", sent[0]["type"])


async def test_point_4_a_look_through_somebodys_eyes_from_its_beginning_to_its_end(team):
    kit, ada, ada_id, grace, grace_id = team
    begun = await ada.post(f"/look/{grace_id}")
    assert (begun.status_code, begun.headers["location"]) == (303, "/dashboard")
    assert await name_of(ada) == "grace"
    # Every page says so, also the public ones; nothing is changed, nor proven in her name.
    for path in ("/dashboard", "/settings", "/pricing"):
        page = (await ada.get(path)).text
        assert "Ada Lovelace sees this as Grace Hopper does." in page
        assert "You may look, and change nothing." in page
        assert 'action="/auth/impersonation/end"' in page
    assert await codes(ada, [*LOCKED, ("POST", "/work"), ("POST", f"/look/{ada_id}")]) == {"identity.read_only"}
    # Neither by messages, which have no method.
    assert await shake_hands(kit, ada) == 403
    assert (await ada.get("/v1/auth/confirm")).json()["confirmed_until"] is None
    assert (await ada.get("/settings/password")).status_code != 200
    # Its person sees it while it goes on and afterwards, and who looked does not count as them.
    session = (await grace.get("/v1/me/sessions")).json()["items"][0]
    assert (session["operator_reason"], session["method"]) == (WHY, "operator")
    page = (await grace.get("/settings")).text
    assert "An operator looked in" in page
    assert WHY in page
    assert "sees this as" not in page
    ended = await ada.post("/auth/impersonation/end")
    assert (ended.status_code, ended.headers["location"]) == (303, "/admin")
    assert "operator" not in ada.cookies
    assert await name_of(ada) == "ada"
    assert (await grace.get("/v1/me/sessions")).json()["items"][0]["operator_reason"] == WHY
    await kit.move(seconds=2)
    assert "Ended" in (await grace.get("/settings")).text
    assert await entries(kit, "impersonation.began") == [("user", ada_id, WHY, None)]
    assert await entries(kit, "impersonation.ended") == [("user", ada_id, None, None)]
    # A second end, also of nobody's, does nothing.
    assert (await ada.post("/auth/impersonation/end")).headers["location"] == "/admin"
    assert await name_of(ada) == "ada"
    assert (await (await kit.client()).post("/auth/impersonation/end")).headers["location"] == "/admin"
    # No operator takes it out of her list by signing her out; one that goes on ends with all the rest.
    assert (await ada.post(f"/look/{grace_id}?reason=more")).status_code == 303
    assert await operating.end_sessions(kit.system, grace_id, reason="a lost phone") == 2
    assert await name_of(ada) == await name_of(grace) == 401
    again = (await (await kit.sign_in("grace")).get("/v1/me/sessions")).json()["items"]
    assert [one["operator_reason"] for one in again] == [None, "more", WHY]


ENDS = "banned, closed, appointed, reset, proven late, revoked, others revoked, all revoked, operator out"


@pytest.mark.parametrize("what", ENDS.split(", "))
async def test_point_4_whatever_ends_a_look_it_stays_in_the_list_and_its_end_in_the_audit(start, product_of, what):
    kit = await start(product_of(sign_in=[Google(), Password()], modules=[Module("looking", routers=[router])]))
    (ada, ada_id), (grace, grace_id) = await known(kit, "ada", "grace")
    await operating.set_role(kit.system, ada_id, "ADMIN", reason="the first")
    own = ada.cookies["session"]
    await ada.post(f"/look/{grace_id}")
    assert await name_of(ada) == "grace"
    (look,) = [one for one in (await grace.get("/v1/me/sessions")).json()["items"] if one["operator_reason"]]
    match what:
        case "banned":
            await operating.ban(kit.system, grace_id, reason="spam")
        case "closed":
            await operating.close_account(kit.system, grace_id, reason="asked for it")
        case "appointed":
            await operating.appoint(kit.system, "grace@example.com", password=PASSWORD, reason="a second")
        case "reset":
            await (await kit.client()).post("/v1/auth/reset", json={"email": "grace@example.com"})
            sent = {"token": token_in((await mailbox(kit, "grace@example.com"))[-1]), "password": PASSWORD}
            assert (await (await kit.client()).post("/v1/auth/reset/confirm", json=sent)).status_code == 204
        case "proven late":
            async with kit.system.service() as ctx:
                await ctx.db.run(_unprove, user=grace_id)
                await prove_address(ctx, await queries.users.lock(ctx.db, grace_id))
        case "revoked":
            assert (await grace.delete(f"/v1/me/sessions/{look['id']}")).status_code == 204
            # There is nothing left to end, and nothing to take out of the list.
            assert (await grace.delete(f"/v1/me/sessions/{look['id']}")).status_code == 404
        case "others revoked":
            assert (await grace.delete("/v1/me/sessions")).status_code == 204
        case "all revoked":
            assert (await grace.delete("/v1/me/sessions?current=true")).status_code == 204
        case "operator out":
            apart = await kit.client(Authorization=f"Bearer {own}")
            assert (await apart.post("/v1/auth/sign-out")).status_code == 204
    assert await name_of(ada) == 401
    async with kit.system.service(writes=False) as ctx:
        kept = await queries.sessions.of_user(ctx.db, grace_id)
    assert [one.reason for one in kept if str(one.id) == look["id"]] == [WHY]
    assert len(await entries(kit, "impersonation.ended")) == 1


async def test_point_4_who_signs_in_or_out_in_a_look_has_ended_it(team):
    kit, ada, ada_id, grace, grace_id = team
    await ada.post(f"/look/{grace_id}?reason=first")
    await ada.post("/auth/signout")
    await kit.sign_in("ada", client=ada)
    await ada.post(f"/look/{grace_id}?reason=second")
    await kit.sign_in("ada", client=ada)
    assert await name_of(ada) == "ada"
    shown = (await grace.get("/v1/me/sessions")).json()["items"]
    assert [one["operator_reason"] for one in shown] == ["second", "first", None]
    assert await entries(kit, "impersonation.ended") == [("user", ada_id, None, None)] * 2


async def test_point_4_it_lasts_an_hour_never_slides_and_goes_back(team):
    kit, ada, _, _, grace_id = team
    await ada.post(f"/look/{grace_id}")
    for _ in range(5):
        await kit.move(minutes=10)
        assert await name_of(ada) == "grace"
    await kit.move(minutes=10)
    assert await name_of(ada) == 401
    back = await ada.get("/signin")
    assert (back.status_code, back.headers["location"]) == (303, "/admin")
    assert await name_of(ada) == "ada"


async def test_point_4_some_things_stay_closed_whatever_was_allowed(team):
    kit, ada, ada_id, _, grace_id = team
    assert (await ada.post(f"/look/{grace_id}?may_write=true")).status_code == 303
    assert "written down" in (await ada.get("/dashboard")).text
    assert (await ada.post("/work")).json() == (await ada.post("/v1tasks")).json() == {"user": str(grace_id)}
    assert await shake_hands(kit, ada) == "websocket.accept"
    assert await codes(ada, LOCKED) == {"identity.closed_to_operators"}
    assert (await ada.post(f"/look/{ada_id}")).json()["code"] == "request.forbidden"
    # What is written down names both.
    assert await entries(kit, "work.done") == [("user", grace_id, None, ada_id)] * 2
    # To sign out is to be signed out.
    assert (await ada.post("/auth/signout")).status_code == 303
    assert await name_of(ada) == 401
    assert (await ada.get("/signin")).status_code == 200


async def test_point_4_who_may_and_through_whose_eyes(team):
    kit, ada, ada_id, grace, grace_id = team
    alan, alan_id = (await known(kit, "alan"))[0]
    assert (await grace.post(f"/look/{alan_id}")).status_code == 403
    assert (await (await kit.client()).post(f"/look/{alan_id}")).status_code in {401, 403}
    await operating.ban(kit.system, alan_id, reason="spam")
    refused = [
        (ada_id, WHY, "identity.impersonation_refused"),
        (alan_id, WHY, "identity.impersonation_refused"),
        (new_id(), WHY, "identity.user_not_found"),
        (grace_id, " ", "identity.reason_missing"),
    ]
    for user, why, code in refused:
        assert (await ada.post(f"/look/{user}", params={"reason": why})).json()["code"] == code
    await operating.set_role(kit.system, grace_id, "ADMIN", reason="a second")
    assert (await ada.post(f"/look/{grace_id}")).json()["code"] == "identity.impersonation_refused"
    await operating.set_role(kit.system, grace_id, "USER", reason="no more")
    await kit.move(minutes=11)
    assert (await ada.post(f"/look/{grace_id}")).json()["code"] == "identity.confirmation_needed"
    assert await name_of(ada) == "ada"
    assert alan.cookies


@pytest.mark.parametrize("what", ["demoted", "banned", "signed out", "person banned", "person an operator", "revoked"])
async def test_point_4_what_takes_the_operator_or_the_person_away_ends_it_at_once(team, what):
    kit, ada, ada_id, grace, grace_id = team
    own = {"Authorization": f"Bearer {ada.cookies['session']}"}
    await operating.appoint(kit.system, "alan@example.com", reason="a second")
    await ada.post(f"/look/{grace_id}")
    assert await name_of(ada) == "grace"
    match what:
        case "demoted":
            await operating.set_role(kit.system, ada_id, "USER", reason="left")
            # Made one again, what had begun before stays ended.
            await operating.set_role(kit.system, ada_id, "ADMIN", reason="back")
        case "banned":
            await operating.ban(kit.system, ada_id, reason="a leak", until=kit.clock.now() + timedelta(seconds=1))
            await kit.move(seconds=2)
        case "signed out":
            apart = await kit.client()
            assert (await apart.post("/v1/auth/sign-out", headers=own)).status_code == 204
        case "person banned":
            await operating.ban(kit.system, grace_id, reason="spam")
        case "person an operator":
            await operating.set_role(kit.system, grace_id, "ADMIN", reason="a third")
        case "revoked":
            (theirs,) = [
                one for one in (await grace.get("/v1/me/sessions")).json()["items"] if one["operator_reason"] == WHY
            ]
            assert (await grace.delete(f"/v1/me/sessions/{theirs['id']}")).status_code == 204
    assert await name_of(ada) == 401


@pytest.mark.parametrize("what", ["signed in anew", "signed out when it had ended", "person banned"])
async def test_point_4_no_operator_takes_a_look_out_of_its_persons_list(team, what):
    kit, ada, ada_id, _, grace_id = team
    own = {"Authorization": f"Bearer {ada.cookies['session']}"}
    await operating.appoint(kit.system, "alan@example.com", reason="a second")
    await ada.post(f"/look/{grace_id}")
    assert await name_of(ada) == "grace"
    look = {"Authorization": f"Bearer {ada.cookies['session']}"}
    match what:
        case "signed in anew":
            await kit.sign_in("ada", client=ada)
            assert await name_of(ada) == "ada"
        case "signed out when it had ended":
            assert (await (await kit.client()).post("/v1/auth/sign-out", headers=own)).status_code == 204
            assert (await ada.post("/auth/signout")).status_code == 303
        case "person banned":
            await operating.ban(kit.system, grace_id, reason="spam")
            await operating.lift(kit.system, grace_id, reason="a mistake")
    assert (await (await kit.client()).get("/v1/me", headers=look)).status_code == 401
    listed = (await (await kit.sign_in("grace")).get("/v1/me/sessions")).json()["items"]
    assert [one["operator_reason"] for one in listed if one["method"] == "operator"] == [WHY]
    ended = await entries(kit, "impersonation.ended")
    assert [who for _kind, who, *_ in ended] == [None if what == "person banned" else ada_id]


async def test_class_06_a_look_that_is_ended_by_many_at_once_has_ended_once(team):
    kit, ada, ada_id, _, grace_id = team
    await ada.post(f"/look/{grace_id}")
    tabs = [await kit.client(Authorization=f"Bearer {ada.cookies['session']}") for _ in range(4)]
    doors = ("/auth/impersonation/end", "/v1/auth/sign-out") * 2
    await asyncio.gather(*(one.post(door) for one, door in zip(tabs, doors, strict=True)))
    assert await entries(kit, "impersonation.ended") == [("user", ada_id, None, None)]
    assert [await name_of(one) for one in tabs] == [401] * 4


@pytest.mark.parametrize("what", ["demoted", "banned", "deleted"])
async def test_point_4_a_look_that_a_change_of_the_operator_missed_is_refused_where_it_is_read(team, what):
    kit, ada, ada_id, _, grace_id = team
    await ada.post(f"/look/{grace_id}")
    assert await name_of(ada) == "grace"
    async with kit.system.service() as ctx:
        match what:
            case "demoted":
                assert await queries.roles.assign(ctx.db, ada_id, "USER")
            case "banned":
                assert await queries.users.ban(ctx.db, ada_id, ends=None, why="spam")
            case "deleted":
                assert await queries.users.mark_deleted(ctx.db, ada_id)
    assert await name_of(ada) == 401
    # Nobody, and not somebody who may only look.
    assert (await ada.post("/work")).status_code == 401
