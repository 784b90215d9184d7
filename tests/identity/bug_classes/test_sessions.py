"""Known ways in which others' sessions went wrong; each test is named after its class."""

import asyncio
from uuid import UUID, uuid4

import pytest

from house.rules.routes import NEEDS_AN_ACTOR, doors
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.tokens import Purpose, issue

SOME_ID = "0198c2f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f"


async def my_id(client):
    return UUID((await client.get("/v1/me")).json()["id"])


async def ids(client, **params):
    return [one["id"] for one in (await client.get("/v1/me/sessions", params=params)).json()["items"]]


def doors_of_the_signed_in(app):
    """Every method and path that only who is signed in may use, with something in each place of the path."""
    for door in doors(app):
        needs = {one.call for one in door.route.dependant.dependencies} if door.route else set()
        if needs & NEEDS_AN_ACTOR:
            path = door.path
            for name in door.route.param_convertors:
                path = path.replace(f"{{{name}}}", SOME_ID)
            yield door.method, path


async def test_class_01_nothing_but_the_session_says_who_one_is(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    hers = str(await my_id(grace))
    session = (await ids(grace))[0]
    named = {"x-user-id": hers, "x-forwarded-user": hers, "x-session-id": session, "remote-user": "grace"}
    stranger = await kit.client(**named)
    assert (await stranger.get("/v1/me", params={"user_id": hers, "session_id": session})).status_code == 401
    assert (await ada.get("/v1/me", params={"user_id": hers}, headers=named)).json()["email"] == "ada@example.com"
    assert session not in await ids(ada, user_id=hers)
    assert (await ada.delete("/v1/me/sessions", params={"user_id": hers})).status_code == 204
    assert await ids(grace) == [session]


@pytest.mark.parametrize("blank", [b"\x85", b"\xa0", b"\x1c"])
async def test_class_03_a_sibling_domain_plants_no_session_under_a_name_that_is_nearly_ours(kit, blank):
    """A browser that takes `__Host-` cookies from us only lets a sibling domain set this one, and sends it as it is."""
    eve = await kit.sign_in("grace")
    token = eve.cookies["session"].encode()
    victim = await kit.client()
    for name in (blank + b"session", b"session" + blank):
        answer = await victim.get("/v1/me", headers=[(b"cookie", name + b"=" + token)])
        assert answer.status_code == 401
    ada = (await kit.sign_in("ada")).cookies["session"].encode()
    both = blank + b"session=" + token + b"; session=" + ada
    assert (await victim.get("/v1/me", headers=[(b"cookie", both)])).json()["email"] == "ada@example.com"


async def test_class_06_ending_a_session_many_times_at_once_is_done_once(kit):
    one, other = await kit.sign_in("ada"), await kit.sign_in("ada")
    newest = (await ids(one))[0]
    answers = await asyncio.gather(*(one.delete(f"/v1/me/sessions/{newest}") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 5
    assert [(await each.get("/v1/me")).status_code for each in (one, other)] == [200, 401]


@pytest.mark.parametrize("end", ["ban", "delete", "revoke", "expire"])
@pytest.mark.parametrize("carrier", ["cookie", "bearer"])
async def test_class_08_no_door_lets_in_whose_session_has_ended(kit, end, carrier):
    ada = await kit.sign_in("ada")
    token, user = ada.cookies["session"], await my_id(ada)
    async with kit.system.service() as ctx:
        if end == "ban":
            await ban_user(ctx, user, reason="test")
        elif end == "delete":
            await delete_user(ctx, user, reason="test")
    if end == "revoke":
        await ada.delete("/v1/me/sessions", params={"current": "true"})
    elif end == "expire":
        await kit.move(minutes=60)
    headers = {"cookie": f"session={token}"} if carrier == "cookie" else {"authorization": f"Bearer {token}"}
    client = await kit.client(**headers)
    found = list(doors_of_the_signed_in(kit.app))
    assert {("GET", "/v1/me/sessions"), ("DELETE", f"/v1/me/sessions/{SOME_ID}"), ("POST", "/settings/email")} < set(
        found
    )
    for method, path in found:
        answer = await client.request(method, path, **({} if method in {"GET", "DELETE"} else {"json": {}}))
        assert (answer.status_code, answer.json()["code"]) == (401, "request.unauthenticated"), (method, path)


async def test_class_08_only_the_ended_one_is_shut_out(kit):
    """The doors above would let in a live one: what was refused there was the session."""
    ada = await kit.sign_in("ada")
    for method, path in doors_of_the_signed_in(kit.app):
        if method == "GET":
            assert (await ada.get(path)).status_code != 401, path


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_class_13_a_token_of_another_purpose_is_no_session(kit, purpose):
    ada = await kit.sign_in("ada")
    async with kit.system.service() as ctx:
        issued = await issue(ctx, purpose, "ada@example.com", user_id=await my_id(ada))
    secret = issued.token.rpartition("_")[2]
    for value in (issued.token, f"sess_{secret}", secret, str(issued.id), issued.code):
        for headers in ({"cookie": f"session={value}"}, {"authorization": f"Bearer {value}"}):
            assert (await (await kit.client(**headers)).get("/v1/me")).status_code == 401


async def test_class_13_a_session_is_no_other_kind_of_credential(kit):
    token = (await kit.sign_in("ada")).cookies["session"]
    for name in ("half", "device", "asked", "link", "signin-" + "A" * 22):
        assert (await (await kit.client(cookie=f"{name}={token}")).get("/v1/me")).status_code == 401
    assert (await (await kit.client()).get("/auth/verify", params={"token": token})).status_code == 400
    assert (await (await kit.client(**{"x-api-key": token})).get("/v1/me")).status_code == 401


@pytest.mark.parametrize("value", ["Bearer", "Bearer \xff", "bearer sess_", "Bearer " + "sess_" * 9_000])
async def test_class_14_a_malformed_bearer_is_401_never_500(kit, value):
    client = await kit.client()
    raw = [(b"authorization", value.encode("latin-1"))]
    for method, path in doors_of_the_signed_in(kit.app):
        answer = await client.request(method, path, headers=raw)
        assert answer.status_code == 401, (method, path)


async def test_class_14_without_a_database_nobody_is_let_in(kit):
    ada = await kit.sign_in("ada")
    await kit.runtime.service.close()
    try:
        answer = await ada.get("/v1/me")
        assert answer.status_code in {401, 503}
    finally:
        await kit.runtime.service.open()
    assert (await ada.get("/v1/me")).status_code == 200


async def test_class_15_somebody_elses_session_is_not_there(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    (hers,) = await ids(grace)
    foreign, absent = [await ada.delete(f"/v1/me/sessions/{one}") for one in (hers, uuid4())]
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert (await ada.post(f"/settings/sessions/{hers}/revoke")).status_code == 404
    await ada.delete("/v1/me/sessions", params={"current": "true"})
    assert (await grace.get("/v1/me")).status_code == 200


async def test_class_21_nothing_tells_an_unknown_token_from_an_ended_one(kit):
    ended, unknown = await kit.sign_in("ada"), "sess_" + "A" * 43
    token = ended.cookies["session"]
    await ended.post("/auth/signout")
    answers = [await (await kit.client(cookie=f"session={one}")).get("/v1/me") for one in (token, unknown)]
    assert len({str({**one.json(), "request_id": ""}) for one in answers}) == 1
    assert len({str(sorted((k, v) for k, v in one.headers.items() if k != "x-request-id")) for one in answers}) == 1


async def test_class_22_a_foreign_cursor_leads_to_nobody_elses_rows(kit):
    people = [await kit.sign_in(name) for name in ("ada", "ada", "ada", "grace", "grace", "grace")]
    ada, grace = people[0], people[3]
    mine, hers = await ids(ada), await ids(grace)
    for cursor in (*hers, *mine, str(uuid4()), str(UUID(int=0)), str(UUID(int=2**128 - 1))):
        assert set(await ids(ada, cursor=cursor)) <= set(mine)
        assert set(await ids(ada, cursor=cursor, limit=1)) <= set(mine)
    # Hers are newer than all of his: a page "before" them is his whole list, as it would be for any later time.
    assert await ids(ada, cursor=hers[0]) == mine
