"""Sessions: who is behind a cookie, where one is signed in, and how it ends."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, select
from starlette.requests import Request

from tenantry.holders.models import Holders
from tenantry.identity import queries
from tenantry.identity.models import Accounts, Sessions, Users
from tenantry.identity.resolving import resolve_session
from tenantry.kernel.database import param, statement
from tenantry.kernel.jobs import plan_periodic
from tenantry.usage.models import UsageCounters

tables = {
    one: statement(select(func.count()).select_from(one)) for one in (Users, Accounts, Sessions, Holders, UsageCounters)
}
delete_user = statement(delete(Users).where(Users.email == param("email")))
expiry = statement(select(Sessions.expires_at))
add_counter = statement(
    insert(UsageCounters).values(
        holder_id=param("holder"),
        meter="requests",
        window_start=param("start"),
        window_end=param("end"),
        used=1,
        holder_revision=1,
    )
)
a_holder = statement(select(Holders.id))


async def count(kit, table):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(tables[table])


async def run(kit, one, **given):
    async with kit.system.service() as ctx:
        return await ctx.db.run(one, **given)


async def with_cookie(kit, cookie, method="GET", path="/v1/me", **headers):
    client = await kit.client()
    return await client.request(method, path, headers={"cookie": cookie, **headers})


# --- Reading ---


async def test_a_session_lasts_exactly_its_lifetime(kit):
    client = await kit.sign_in("ada")
    token = client.cookies["session"]
    await kit.move(minutes=59, seconds=59)
    assert (await with_cookie(kit, f"session={token}")).status_code == 200
    await kit.move(seconds=1)
    # Refused although its row is still there.
    assert (await with_cookie(kit, f"session={token}")).status_code == 401
    assert await count(kit, Sessions) == 1


async def test_use_does_not_lengthen_it(kit):
    client = await kit.sign_in("ada")
    for _ in range(5):
        await kit.move(minutes=11)
        await client.get("/v1/me")
    await kit.move(minutes=5)
    assert (await with_cookie(kit, f"session={client.cookies.get('session')}")).status_code == 401


async def test_use_lengthens_a_sliding_one(start, product_of):
    kit = await start(product_of(sliding=True, session_lifetime=timedelta(minutes=10)))
    client = await kit.sign_in("ada")
    async with kit.system.service(writes=False) as ctx:
        first = await ctx.db.one(expiry)
    await kit.move(seconds=30)
    assert (await client.get("/v1/me")).status_code == 200
    async with kit.system.service(writes=False) as ctx:
        assert await ctx.db.one(expiry) == first  # not written at every request
    for _ in range(6):
        await kit.move(minutes=9)
        assert (await client.get("/v1/me")).status_code == 200
    await kit.move(minutes=10)
    assert (await client.get("/v1/me")).status_code == 401


class Counting:
    """A database that remembers the units it gave out."""

    def __init__(self, database):
        self.database = database
        self.units = []

    def unit(self, *args, **kwargs):
        self.units.append(self.database.unit(*args, **kwargs))
        return self.units[-1]


async def test_one_statement_finds_out_who_asks(kit):
    token = (await kit.sign_in("ada")).cookies["session"]
    service = Counting(kit.runtime.service)
    runtime = replace(kit.runtime, service=service)
    headers = [(b"cookie", f"session={token}".encode())]
    found = await resolve_session(Request({"type": "http", "method": "GET", "headers": headers}), runtime)
    assert (found.actor.kind, found.actor.email, found.holder.plan) == ("user", "ada@example.com", "free")
    assert [(one.statements, one.writes) for one in service.units] == [(1, False)]


@pytest.mark.parametrize(
    "cookie",
    [
        "session=",
        "session=x",
        "session=sess_",
        "session=sess_" + "A" * 42,
        "session=sess_" + "A" * 44,
        "session=sess_" + "A" * 43,
        "session=" + "A" * 60_000,
        "session=sess_" + "\u00e9" * 43,
        'session="sess_' + "A" * 43 + '"',
        "session=%00%ff",
        "session; session; =; ;;",
        "session=a; session=b",
        "session=sess_" + "A" * 43 + "; session=sess_" + "B" * 43,
        "=sess_" + "A" * 43,
        "; " * 500,
        "session=\x7f\x80\xff",
    ],
)
async def test_a_malformed_cookie_is_a_stranger(kit, cookie):
    client = await kit.client()
    headers = [(b"cookie", cookie.encode("latin-1"))]
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    assert (await client.get("/signin", headers=headers)).status_code == 200
    started = await client.get("/auth/demo/start", headers=headers)
    assert started.status_code == 303


@pytest.mark.parametrize(
    "value", ["", "x", "A" * 20_000, "v1.a.b.c", "v1." + "A" * 8 + "." + "A" * 80 + "." + "A" * 80, "\xff\xfe"]
)
async def test_a_malformed_note_is_an_expired_sign_in(kit, value):
    client = await kit.client()
    state = "state_" + "A" * 43
    headers = [(b"cookie", f"signin-{'A' * 22}={value}".encode("latin-1"))]
    answer = await client.get("/auth/demo/callback", params={"state": state, "code": "x"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "identity.sign_in_expired")
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_of_two_different_tokens_none_is_believed(kit):
    mine = (await kit.sign_in("ada")).cookies["session"]
    hers = (await kit.sign_in("grace")).cookies["session"]
    assert (await with_cookie(kit, f"session={hers}; session={mine}")).status_code == 401
    # The same one twice is the same one; what is no token of ours is another program's on this host.
    assert (await with_cookie(kit, f"session={mine}; session={mine}")).status_code == 200
    assert (await with_cookie(kit, f"session=eyJmbGFzayI6MX0; session={mine}")).status_code == 200


async def test_a_hash_from_a_leaked_table_is_no_token(kit):
    await kit.sign_in("ada")
    async with kit.system.service(writes=False) as ctx:
        leaked = await ctx.db.one(statement(select(Sessions.token_hash)))
    for value in (leaked.hex(), "sess_" + leaked.hex()[:43], leaked.decode("latin-1")):
        client = await kit.client()
        headers = [(b"cookie", b"session=" + value.encode("latin-1"))]
        assert (await client.get("/v1/me", headers=headers)).status_code == 401


# --- Requests from other sites ---


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://evil.example", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://127.0.0.1:9000", "sec-fetch-site": "same-site"}, False),
        ({"origin": ""}, False),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/v1/me"), ("DELETE", "/v1/me/sessions"), ("POST", "/auth/signout")]
)
async def test_a_change_must_come_from_our_pages(kit, method, path, headers, passes):
    client = await kit.sign_in("ada")
    body = {"json": {"name": "Eve"}} if method == "PATCH" else {}
    answer = await client.request(method, path, headers=headers, **body)
    if passes:
        assert answer.status_code < 400
        return
    assert (answer.status_code, answer.json()["code"]) == (403, "web.cross_site")
    assert (await client.get("/v1/me")).json()["name"] == "Ada Lovelace"


async def test_even_a_route_that_does_not_exist_is_not_told_apart_by_session(kit):
    client = await kit.sign_in("ada")
    assert (await client.post("/v1/nothing", headers={"origin": "https://evil.example"})).status_code == 404


# --- Listing and ending ---


async def test_where_one_is_signed_in(kit):
    first = await kit.sign_in("ada", client=await kit.client(**{"user-agent": "First/1.0 (Linux)"}))
    await kit.move(seconds=5)
    second = await kit.sign_in("ada", client=await kit.client(**{"user-agent": "Second/" + "x" * 600}))
    await kit.sign_in("grace")
    listed = (await first.get("/v1/me/sessions")).json()
    assert listed["next_cursor"] is None
    newest, oldest = listed["items"]
    assert set(oldest) == {
        "id", "method", "address", "user_agent", "created_at", "last_seen_at", "expires_at", "operator_reason",
        "current",
    }  # fmt: skip
    assert (oldest["user_agent"], oldest["current"], oldest["address"]) == ("First/1.0 (Linux)", True, "127.0.0.1")
    assert (oldest["created_at"], oldest["expires_at"]) == ("2026-03-14T12:00:00Z", "2026-03-14T13:00:00Z")
    assert (len(newest["user_agent"]), newest["current"]) == (500, False)
    assert [one["current"] for one in (await second.get("/v1/me/sessions")).json()["items"]] == [True, False]


async def test_expired_ones_are_not_listed(kit):
    await kit.sign_in("ada")
    await kit.move(minutes=30)
    client = await kit.sign_in("ada")
    await kit.move(minutes=31)
    assert len((await client.get("/v1/me/sessions")).json()["items"]) == 1


async def test_the_list_has_pages(kit):
    clients = [await kit.sign_in("ada") for _ in range(5)]
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        answer = (await clients[0].get("/v1/me/sessions", params=params)).json()
        seen += [one["id"] for one in answer["items"]]
        cursor, pages = answer["next_cursor"], pages + 1
    assert (len(set(seen)), len(seen), pages) == (5, 5, 3)
    assert seen == sorted(seen, reverse=True)
    for bad in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "x"}):
        assert (await clients[0].get("/v1/me/sessions", params=bad)).status_code == 422


async def test_one_is_ended(kit):
    one, other = await kit.sign_in("ada"), await kit.sign_in("ada")
    listed = (await one.get("/v1/me/sessions")).json()["items"]
    target = next(item["id"] for item in listed if not item["current"])
    assert (await one.delete(f"/v1/me/sessions/{target}")).status_code == 204
    assert (await other.get("/v1/me")).status_code == 401
    assert (await one.get("/v1/me")).status_code == 200
    assert (await one.delete(f"/v1/me/sessions/{target}")).status_code == 404


async def test_all_others_are_ended(kit):
    one, *others = [await kit.sign_in("ada") for _ in range(3)]
    grace = await kit.sign_in("grace")
    assert (await one.delete("/v1/me/sessions")).status_code == 204
    assert [(await each.get("/v1/me")).status_code for each in (one, *others, grace)] == [200, 401, 401, 200]
    assert (await one.delete("/v1/me/sessions")).status_code == 204


async def test_404_someone_elses_looks_like_an_absent_one(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    hers = (await grace.get("/v1/me/sessions")).json()["items"][0]["id"]
    answers = [await ada.delete(f"/v1/me/sessions/{one}") for one in (hers, uuid4())]
    foreign, absent = ({**one.json(), "request_id": ""} for one in answers)
    assert foreign == absent
    assert [one.status_code for one in answers] == [404, 404]
    assert {name: value for name, value in answers[0].headers.items() if name != "x-request-id"} == {
        name: value for name, value in answers[1].headers.items() if name != "x-request-id"
    }
    assert (await grace.get("/v1/me")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me/sessions"),
        ("DELETE", "/v1/me/sessions"),
        ("DELETE", f"/v1/me/sessions/{UUID(int=7)}"),
        ("PATCH", "/v1/me"),
    ],
)
async def test_401_strangers(kit, method, path):
    client = await kit.client()
    answer = await client.request(method, path, **({"json": {"name": "x"}} if method == "PATCH" else {}))
    assert (answer.status_code, answer.json()["code"]) == (401, "request.unauthenticated")


async def test_the_queries_themselves_keep_to_one_user(kit):
    """Also for a caller that may touch every row."""
    await kit.sign_in("ada")
    grace = await kit.sign_in("grace")
    hers = (await grace.get("/v1/me/sessions")).json()["items"][0]["id"]
    me = UUID((await grace.get("/v1/me")).json()["id"])
    async with kit.system.service() as ctx:
        assert await queries.sessions.end_by_id(ctx.db, uuid4(), UUID(hers)) is False
        assert await queries.sessions.end_own(ctx.db, me, kept=UUID(hers)) == 0
    assert await count(kit, Sessions) == 2


# --- Signing out ---


async def test_signing_out(kit):
    client = await kit.sign_in("ada")
    token = client.cookies["session"]
    answer = await client.post("/auth/signout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "session" not in client.cookies
    assert await count(kit, Sessions) == 0
    assert (await with_cookie(kit, f"session={token}")).status_code == 401
    assert (await client.post("/auth/signout")).status_code == 303


async def test_signing_out_without_a_session(kit):
    client = await kit.client()
    answer = await client.post("/auth/signout")
    assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)
    # A cookie that stands for nothing is taken away all the same.
    stale = await with_cookie(kit, "session=nonsense", "POST", "/auth/signout")
    assert "Max-Age=0" in stale.headers["set-cookie"]
    assert (await client.get("/auth/signout")).status_code == 405


async def test_another_site_cannot_sign_anybody_out(kit):
    client = await kit.client()  # as a cross-site form post arrives: without the Lax cookie
    headers = {
        "origin": "https://evil.example",
        "sec-fetch-site": "cross-site",
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = await client.post("/auth/signout", headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


# --- The end of everything ---


async def test_a_deleted_user_takes_everything_along(kit):
    ada = await kit.sign_in("ada")
    async with kit.system.service() as ctx:
        now = kit.clock.now()
        await ctx.db.run(
            add_counter, holder=await ctx.db.one(a_holder), start=now, end=now + timedelta(days=1)
        )  # fmt: skip
    await kit.sign_in("grace")
    assert await run(kit, delete_user, email="ada@example.com") == 1
    assert [await count(kit, table) for table in tables] == [1, 1, 1, 1, 0]
    assert (await ada.get("/v1/me")).status_code == 401


async def test_expired_sessions_are_deleted_after_a_while(start):
    kit = await start(sessions_retention_days=2)
    await kit.sign_in("ada")
    await kit.move(days=1)
    await kit.sign_in("ada")
    for hours, left in ((24, 2), (2, 1), (24, 0)):
        await kit.move(hours=hours)
        await plan_periodic(kit.runtime)
        await kit.run_jobs()
        assert await count(kit, Sessions) == left
