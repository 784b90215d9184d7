"""`/v1/keys`: issue, list, rename, rotate, revoke."""

from datetime import timedelta
from uuid import UUID

import pytest

from tenantry.keys.secrets import is_secret


async def issue(client, label="robot", **given):
    answer = await client.post("/v1/keys", json={"label": label, **given})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(key):
    return {"Authorization": f"Bearer {key['secret']}"}


async def test_a_new_key_is_told_once_and_works_at_once(kit, ada, program):
    made = await issue(ada)
    assert is_secret(made["secret"])
    assert made["secret"].startswith(made["prefix"])
    assert made["secret"].endswith(made["ending"])
    assert (made["state"], made["tier"], made["scopes"], made["successor_id"]) == ("active", "free", [], None)
    told = {name: value for name, value in made.items() if name != "secret"}
    assert (await ada.get(f"/v1/keys/{made['id']}")).json() == told
    assert (await ada.get("/v1/keys")).json() == {"items": [told], "next_cursor": None}
    answer = await program.get("/v1/work", headers=bearer(made))
    assert answer.json() == {"actor": "key", "plan": "free", "key_id": made["id"]}
    assert answer.headers["x-ratelimit-remaining"] == "4"
    assert (await program.get("/v1/work", headers={"X-API-Key": made["secret"]})).status_code == 200


async def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(ada, program):
    made = await issue(ada)
    assert (await program.get("/v1/work", headers=bearer(made))).status_code == 200
    gone = await ada.delete(f"/v1/keys/{made['id']}")
    assert (gone.status_code, gone.json()["state"]) == (200, "revoked")
    refused = await program.get("/v1/work", headers=bearer(made))
    assert (refused.status_code, refused.json()["code"]) == (401, "keys.revoked")
    assert (await ada.delete(f"/v1/keys/{made['id']}")).json() == gone.json()
    assert [one["state"] for one in (await ada.get("/v1/keys")).json()["items"]] == ["revoked"]


async def test_a_rotated_key_works_beside_its_successor_until_the_grace_is_over(kit, ada, program):
    old = await issue(ada, scopes=["work:write"])
    new = (await ada.post(f"/v1/keys/{old['id']}/rotate", json={"grace_hours": 1})).json()
    assert (new["label"], new["scopes"]) == ("robot", ["work:write"])
    for key in (old, new):
        assert (await program.get("/v1/work", headers=bearer(key))).status_code == 200
    await kit.set_time(kit.clock.now() + timedelta(minutes=61))
    refused = await program.get("/v1/work", headers=bearer(old))
    assert (refused.status_code, refused.json()["code"]) == (401, "keys.expired")
    assert (await program.get("/v1/work", headers=bearer(new))).status_code == 200


async def test_creation_stops_at_what_the_plan_allows(ada):
    first, _ = await issue(ada), await issue(ada)
    refused = await ada.post("/v1/keys", json={"label": "one more"})
    assert (refused.status_code, refused.json()["code"]) == (409, "usage.limit_reached")
    await ada.delete(f"/v1/keys/{first['id']}")
    await issue(ada)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"label": "  "}, "request.invalid", "body.label"),
        ({"label": "a", "scopes": ["fly"]}, "keys.scope_unknown", "scopes"),
        ({"label": "a", "tier": "pro"}, "keys.tier_too_high", "tier"),
        ({"label": "a", "tier": "gold"}, "keys.tier_too_high", "tier"),
        ({"label": "a", "expires_at": "2020-01-01T00:00:00Z"}, "request.invalid", "expires_at"),
    ],
)
async def test_what_cannot_be_made_is_refused_by_name(ada, given, code, field):
    refused = await ada.post("/v1/keys", json=given)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert [one["field"] for one in refused.json()["errors"]] == [field]


async def test_a_key_does_not_do_what_is_for_people(ada, program):
    made = await issue(ada, scopes=["work:write"])
    for method, path in [("GET", "/v1/me"), ("GET", "/v1/keys"), ("POST", "/v1/keys")]:
        refused = await program.request(method, path, headers=bearer(made), json={} if method == "POST" else None)
        assert (refused.status_code, refused.json()["code"]) == (403, "request.person_needed"), path


async def test_a_scope_is_needed_where_a_route_says_so(ada, program):
    plain, allowed = await issue(ada), await issue(ada, scopes=["work:write"])
    refused = await program.post("/v1/work", headers=bearer(plain))
    assert (refused.status_code, refused.json()["code"]) == (403, "keys.scope_missing")
    assert (await program.post("/v1/work", headers=bearer(allowed))).json() == {"done": True}


async def test_nobody_sees_or_changes_anothers_key(kit, ada):
    made, grace = await issue(ada), await kit.sign_in("grace")
    assert (await grace.get("/v1/keys")).json()["items"] == []
    for method, path in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")]:
        body = {"label": "mine"} if method == "PATCH" else None
        refused = await grace.request(method, f"/v1/keys/{made['id']}{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (404, "keys.not_found")
    missing = await ada.get(f"/v1/keys/{UUID(int=7)}")
    assert (missing.status_code, missing.json()["code"]) == (404, "keys.not_found")
