"""Sessions end when they must: by time, by hand, by ban and deletion, on every worker at once."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from starlette.requests import Request

from identity.address_steps import OLD, ask, letters
from identity.mailbox import mailbox, token_in
from tenantry import Google, Password
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.identity.actions.sessions import renew_session
from tenantry.identity.bearer import presented_token
from tenantry.identity.models import Sessions
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.context import open_context
from tenantry.kernel.database import statement

expiry = statement(select(Sessions.expires_at))
seen = statement(select(Sessions.last_seen_at))
actions = statement(select(AuditLog.action).where(AuditLog.action.like("session.%")).order_by(AuditLog.id))


async def rows(kit, one):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(one)


async def my_id(client):
    return UUID((await client.get("/v1/me")).json()["id"])


async def still_in(*clients):
    return [(await one.get("/v1/me")).status_code == 200 for one in clients]


async def carried(kit, token):
    """The same session in a browser of another worker."""
    return await kit.client(cookie=f"session={token}")


# --- By time ---


async def test_a_sliding_one_ends_for_good_however_often_it_is_used(start, product_of):
    kit = await start(
        product_of(sliding=True, session_lifetime=timedelta(minutes=10), session_lifetime_max=timedelta(minutes=25))
    )
    ada, begun = await kit.sign_in("ada"), kit.clock.now()
    for minutes in (5, 5, 5, 5, 4):
        await kit.move(minutes=minutes)
        assert await still_in(ada) == [True]
    assert await rows(kit, expiry) == [begun + timedelta(minutes=25)]
    await kit.move(minutes=1)
    assert await still_in(ada) == [False]


async def test_the_cookie_of_a_sliding_one_lives_until_that_end(start, product_of):
    kit = await start(product_of(sliding=True, session_lifetime_max=timedelta(days=7)))
    client = await kit.client()
    landed = await kit.finish_sign_in(client, "ada", await client.get("/auth/demo/start"))
    (cookie,) = [one for one in landed.headers.get_list("set-cookie") if one.startswith("session=")]
    assert f"Max-Age={7 * 24 * 3600}" in cookie


async def test_the_databases_clock_decides_not_the_workers(kit):
    ada = await kit.sign_in("ada")
    now = kit.clock.now()
    kit.clock.set(now + timedelta(hours=3))  # a worker whose clock is wrong; an SQLite file has no other
    assert await still_in(ada) == [kit.database.owner_url is not None]
    kit.clock.set(now)
    assert await still_in(ada) == [True]
    await kit.database.freeze(now + timedelta(hours=1))
    assert await still_in(ada) == [kit.database.owner_url is None]


@pytest.mark.parametrize("lifetime", [timedelta(minutes=10), timedelta(days=30)])
async def test_being_seen_is_written_every_five_minutes_at_most(start, product_of, lifetime):
    kit = await start(product_of(session_lifetime=lifetime))
    ada = await kit.sign_in("ada")
    begun = kit.clock.now()
    for seconds, written in ((1, 0), (298, 0), (1, 300), (1, 300), (298, 300), (0, 300)):
        await kit.move(seconds=seconds)
        assert await still_in(ada) == [True]
        assert await rows(kit, seen) == [begun + timedelta(seconds=written)], (seconds, written)


# --- By its person ---


async def test_everywhere_is_here_too(kit):
    here, there, grace = await kit.sign_in("ada"), await kit.sign_in("ada"), await kit.sign_in("grace")
    answer = await here.delete("/v1/me/sessions", params={"current": "true"})
    assert (answer.status_code, "session" in here.cookies) == (204, False)
    assert await still_in(here, there, grace) == [False, False, True]
    assert (await rows(kit, actions))[-1] == "session.all_revoked"


async def test_current_false_is_the_others_only(kit):
    here, there = await kit.sign_in("ada"), await kit.sign_in("ada")
    assert (await here.delete("/v1/me/sessions", params={"current": "false"})).status_code == 204
    assert await still_in(here, there) == [True, False]
    for bad in ("", "maybe", "2"):
        assert (await here.delete("/v1/me/sessions", params={"current": bad})).status_code == 422


async def test_ending_the_own_one_takes_the_cookie_along(kit):
    ada = await kit.sign_in("ada")
    mine = (await ada.get("/v1/me/sessions")).json()["items"][0]["id"]
    assert (await ada.delete(f"/v1/me/sessions/{mine}")).status_code == 204
    assert "session" not in ada.cookies


async def test_signing_in_again_gives_another_token_and_ends_the_old_session(kit):
    ada = await kit.sign_in("ada")
    old = ada.cookies["session"]
    await kit.sign_in("ada", client=ada)
    assert ada.cookies["session"] != old
    assert await still_in(ada, await carried(kit, old)) == [True, False]


async def test_proving_it_again_gives_the_same_session_another_token(kit, request_of):
    ada = await kit.sign_in("ada")
    old, before = ada.cookies["session"], (await ada.get("/v1/me/sessions")).json()["items"]
    await kit.move(minutes=20)
    ctx = await open_context(request_of(kit, old))
    assert ctx.actor.authenticated_at == kit.clock.now() - timedelta(minutes=20)
    async with ctx.service() as working:
        renewed = await renew_session(working, proven=True)
    now = await carried(kit, renewed.token)
    assert await still_in(ada, now) == [False, True]
    after = (await now.get("/v1/me/sessions")).json()["items"]
    kept = ("id", "created_at", "expires_at", "method")
    assert [[one[name] for name in kept] for one in after] == [[one[name] for name in kept] for one in before]
    assert (await open_context(request_of(kit, renewed.token))).actor.authenticated_at == kit.clock.now()


# --- On every worker at once ---


@pytest.fixture
async def workers(start, product_of):
    """Two applications on one database, as two workers are."""
    return [await start(product_of()) for _ in range(2)]


@pytest.mark.parametrize("deed", ["ban", "delete", "revoke others", "revoke all", "revoke one", "sign out"])
async def test_what_ends_on_one_worker_has_ended_on_the_other(workers, deed):
    one, other = workers
    ada = await one.sign_in("ada")
    owner = await one.sign_in("ada")
    there = await carried(other, ada.cookies["session"])
    assert await still_in(there) == [True]
    user = await my_id(ada)
    if deed == "ban":
        async with one.system.service() as ctx:
            await ban_user(ctx, user, reason="test")
    elif deed == "delete":
        async with one.system.service() as ctx:
            await delete_user(ctx, user, reason="test")
    elif deed == "sign out":
        await ada.post("/auth/signout")
    elif deed == "revoke one":
        target = next(item for item in (await ada.get("/v1/me/sessions")).json()["items"] if item["current"])
        await owner.delete(f"/v1/me/sessions/{target['id']}")
    else:
        await owner.delete("/v1/me/sessions", params={"current": str(deed == "revoke all").lower()})
    assert await still_in(there, ada) == [False, False]
    app = await other.client()
    assert (
        await app.get("/v1/me", headers={"authorization": f"Bearer {ada.cookies.get('session', '')}"})
    ).status_code == 401


async def test_lifting_a_ban_brings_no_session_back(workers):
    one, other = workers
    ada = await one.sign_in("ada")
    there = await carried(other, ada.cookies["session"])
    user = await my_id(ada)
    async with one.system.service() as ctx:
        await ban_user(ctx, user, reason="test")
    async with other.system.service() as ctx:
        await lift_ban(ctx, user, reason="test")
    assert await still_in(ada, there) == [False, False]
    assert await still_in(await other.sign_in("ada")) == [True]


async def test_a_session_begun_on_one_worker_is_known_on_the_other_at_once(workers):
    one, other = workers
    ada = await one.sign_in("ada")
    assert await still_in(await carried(other, ada.cookies["session"])) == [True]


@pytest.fixture
def request_of():
    """Makes a request that carries a session's token, as an endpoint gets it."""

    def made(kit, token):
        headers = [(b"cookie", f"session={token}".encode())]
        request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "app": kit.app})
        assert presented_token(request, kit.runtime.settings) == (token, True)
        return request

    return made


async def test_a_reset_ends_every_session_on_every_worker_and_the_change_of_address(start, product_of):
    one, other = [await start(product_of(sign_in=[Google(), Password()])) for _ in range(2)]
    ada = await one.sign_in("ada")
    there = await carried(other, ada.cookies["session"])
    await ask(ada)
    to_new, to_old = await letters(one)
    stranger = await other.client()
    await stranger.post("/v1/auth/reset", json={"email": OLD})
    token = token_in((await mailbox(other, OLD))[-1])
    done = await stranger.post("/v1/auth/reset/confirm", json={"token": token, "password": "a stony path uphill"})
    assert done.status_code == 204, done.text
    assert await still_in(ada, there) == [False, False]
    for mail in (to_new, to_old):
        used = await stranger.post("/auth/verify", data={"token": token_in(mail), "choice": "approve"})
        assert used.json()["code"] == "identity.link_expired"
    again = await one.sign_in("ada")
    assert (await again.get("/v1/me/email")).json()["pending"] is None
