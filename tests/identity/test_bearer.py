"""`Authorization: Bearer sess_...`: sessions of apps that keep no cookies."""

from dataclasses import replace

import pytest
from starlette.requests import Request

from tenantry.identity.resolving import resolve_session

EVIL = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
WELL_FORMED = "sess_" + "A" * 43


async def token_of(kit, person="ada"):
    return (await kit.sign_in(person)).cookies["session"]


async def me(client, *authorization, **headers):
    """The answer of `/v1/me`; several `authorization` are several headers."""
    given = [*headers.items(), *(("authorization", value) for value in authorization)]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in given]
    return await client.get("/v1/me", headers=raw)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
async def test_a_bearer_stands_for_its_session(kit, scheme):
    token = await token_of(kit)
    answer = await me(await kit.client(), scheme + token)
    assert (answer.status_code, answer.json()["email"]) == (200, "ada@example.com")


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer sess_",
        "Bearer " + WELL_FORMED,
        "Bearer " + WELL_FORMED[:-1],
        "Bearer " + WELL_FORMED + "A",
        "Bearer " + WELL_FORMED + " more",
        "Bearer " + WELL_FORMED + "," + WELL_FORMED,
        "Bearer " + "A" * 60_000,
        "Bearer \xff\xfe\x80",
        "Bearer %00",
        "Bearer half_" + "A" * 43,
        "Bearer reset_" + "A" * 43,
        "Bearer test_live_" + "A" * 40,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        'Bearer "' + WELL_FORMED + '"',
        "Bearer realm=x, token=y",
    ],
)
async def test_401_a_bearer_that_stands_for_nothing_never_500(kit, value):
    ada = await kit.sign_in("ada")
    answer = await me(await kit.client(), value)
    assert (answer.status_code, answer.json()["code"]) == (401, "request.unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    # Whoever sends one is judged by it: the good cookie beside it does not make up for it.
    assert (await me(ada, value)).status_code == 401
    # What is open to everybody stays so.
    assert (
        await (await kit.client()).get("/signin", headers={"authorization": value.encode("latin-1")})
    ).status_code == 200


async def test_another_scheme_is_no_bearer(kit):
    ada = await kit.sign_in("ada")
    token = ada.cookies["session"]
    for value in ("Basic YWRhOnNlY3JldA==", "Bearerish " + token, "Digest x", ""):
        assert (await me(ada, value)).status_code == 200, "the cookie counts"
        assert (await me(await kit.client(), value)).status_code == 401


async def test_of_two_headers_none_is_believed(kit):
    token, hers = await token_of(kit), await token_of(kit, "grace")
    client = await kit.client()
    for pair in ((f"Bearer {token}", f"Bearer {hers}"), (f"Bearer {token}", "Basic x"), ("Basic x", f"Bearer {token}")):
        assert (await me(client, *pair)).status_code == 401


async def test_the_bearer_counts_and_not_the_cookie_beside_it(kit):
    ada, hers = await kit.sign_in("ada"), await token_of(kit, "grace")
    assert (await me(ada, f"Bearer {hers}")).json()["email"] == "grace@example.com"
    assert (await me(ada)).json()["email"] == "ada@example.com"
    changed = await ada.patch("/v1/me", json={"name": "Changed"}, headers={"authorization": f"Bearer {hers}"})
    assert changed.json()["email"] == "grace@example.com"
    assert (await me(ada)).json()["name"] == "Ada Lovelace"


async def test_a_change_by_bearer_may_come_from_anywhere_one_by_cookie_may_not(kit):
    ada = await kit.sign_in("ada")
    bearer = {"authorization": f"Bearer {ada.cookies['session']}"}
    app = await kit.client()
    assert (await app.patch("/v1/me", json={"name": "App"}, headers={**EVIL, **bearer})).status_code == 200
    assert (await ada.patch("/v1/me", json={"name": "Both"}, headers={**EVIL, **bearer})).status_code == 200
    assert (await ada.patch("/v1/me", json={"name": "Eve"}, headers=EVIL)).status_code == 403
    # A bearer that is none opens no way around the check either.
    refused = await ada.patch("/v1/me", json={"name": "Eve"}, headers={**EVIL, "authorization": "Bearer x"})
    assert refused.status_code == 401
    assert (await me(ada)).json()["name"] == "Both"


async def test_it_ends_when_its_session_ends(kit):
    ada = await kit.sign_in("ada")
    bearer = f"Bearer {ada.cookies['session']}"
    app = await kit.client()
    listed = (await app.get("/v1/me/sessions", headers={"authorization": bearer})).json()["items"]
    assert [one["current"] for one in listed] == [True]
    other = await kit.sign_in("ada")
    assert (await other.delete(f"/v1/me/sessions/{listed[0]['id']}")).status_code == 204
    assert (await me(app, bearer)).status_code == 401


async def test_it_lives_as_long_as_any_session(kit):
    bearer = f"Bearer {await token_of(kit)}"
    app = await kit.client()
    await kit.move(minutes=59, seconds=59)
    assert (await me(app, bearer)).status_code == 200
    await kit.move(seconds=1)
    assert (await me(app, bearer)).status_code == 401


async def test_a_token_counts_nowhere_else(kit):
    token = await token_of(kit)
    client = await kit.client()
    assert (await client.get("/v1/me", params={"session": token, "access_token": token})).status_code == 401
    for name in ("x-api-key", "x-session", "session", "token"):
        assert (await client.get("/v1/me", headers={name: token})).status_code == 401


class Counting:
    """A database that remembers the units it gave out."""

    def __init__(self, database):
        self.database = database
        self.units = []

    def unit(self, *args, **kwargs):
        self.units.append(self.database.unit(*args, **kwargs))
        return self.units[-1]


@pytest.mark.parametrize("has_cookie", [False, True])
async def test_one_statement_finds_out_who_asks(kit, has_cookie):
    token, hers = await token_of(kit), await token_of(kit, "grace")
    service = Counting(kit.runtime.service)
    runtime = replace(kit.runtime, service=service)
    headers = [(b"authorization", f"Bearer {token}".encode())]
    headers += [(b"cookie", f"session={hers}".encode())] if has_cookie else []
    found = await resolve_session(Request({"type": "http", "method": "GET", "headers": headers}), runtime)
    assert found.actor.email == "ada@example.com"
    assert [(one.statements, one.writes) for one in service.units] == [(1, False)]


async def test_a_malformed_bearer_costs_no_statement(kit):
    service = Counting(kit.runtime.service)
    runtime = replace(kit.runtime, service=service)
    headers = [(b"authorization", b"Bearer test_live_key"), (b"cookie", f"session={await token_of(kit)}".encode())]
    assert await resolve_session(Request({"type": "http", "method": "GET", "headers": headers}), runtime) is None
    assert service.units == []


async def test_signing_out_ends_the_bearers_session_not_the_cookies(kit):
    ada, hers = await kit.sign_in("ada"), await token_of(kit, "grace")
    left = await ada.post("/v1/auth/sign-out", headers={"authorization": f"Bearer {hers}"})
    assert left.status_code == 204, left.text
    assert (await me(await kit.client(), f"Bearer {hers}")).status_code == 401
    assert (await me(ada)).json()["email"] == "ada@example.com"
