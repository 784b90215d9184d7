"""`/v1/trials`: start, read, list, extend, cancel, convert, and the keys of each."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tenantry import Trials
from tenantry.holders import by_user, set_plan
from tenantry.testing.queries import latest_entries
from trials.acme import trial_product
from trials.owners import begin, call, give_key, move

NOBODYS = UUID(int=7)


async def test_a_trial_begins_on_the_plan_of_its_tier(kit, ada):
    made, larger = await begin(ada), await begin(ada, "Large", tier="enterprise")
    end = kit.clock.now() + timedelta(days=14)
    assert (made["status"], made["tier"], made["plan"], made["extensions_left"]) == (
        "active",
        "standard",
        "standard",
        1,
    )
    assert (larger["tier"], larger["plan"]) == ("enterprise", "enterprise")
    assert datetime.fromisoformat(made["expires_at"]) == end
    assert (await ada.get(f"/v1/trials/{made['id']}")).json() == made
    assert (await ada.get("/v1/trials")).json() == {"items": [larger, made], "next_cursor": None}


async def test_a_key_of_a_trial_works_from_birth_and_on_the_trials_plan(ada, program):
    made = await begin(ada)
    key = await give_key(ada, made)
    assert (key["state"], key["tier"]) == ("active", "standard")
    assert key["secret"].startswith("acme_trial_")
    assert await call(program, key) == "standard"
    told = {name: value for name, value in key.items() if name != "secret"}
    assert (await ada.get(f"/v1/trials/{made['id']}")).json()["keys"] == [told]
    assert (await ada.get(f"/v1/trials/{made['id']}/keys")).json() == {"items": [told], "next_cursor": None}
    # It is the workspace's, not the person's.
    assert (await ada.get("/v1/keys")).json()["items"] == []


async def test_a_revoked_key_leaves_the_trial_but_not_the_list(ada, program):
    made = await begin(ada)
    key = await give_key(ada, made)
    gone = await ada.delete(f"/v1/trials/{made['id']}/keys/{key['id']}")
    assert (gone.status_code, gone.json()["state"]) == (200, "revoked")
    assert await call(program, key) == "keys.revoked"
    assert (await ada.get(f"/v1/trials/{made['id']}")).json()["keys"] == []
    assert (await ada.get(f"/v1/trials/{made['id']}/keys")).json()["items"] == [gone.json()]


async def test_409_more_keys_than_the_tiers_plan_allows(ada):
    made = await begin(ada)
    for number in range(5):
        await give_key(ada, made, str(number))
    refused = await ada.post(f"/v1/trials/{made['id']}/keys", json={"label": "one more"})
    assert (refused.status_code, refused.json()["code"]) == (409, "usage.limit_reached")


async def test_extended_it_ends_later_once(kit, ada, program):
    made = await begin(ada)
    key = await give_key(ada, made)
    end = datetime.fromisoformat(made["expires_at"])
    assert await call(program, key) == "standard"
    answer = await ada.post(f"/v1/trials/{made['id']}/extend", json={"days": 2})
    assert (answer.status_code, answer.json()["extensions_left"]) == (200, 0)
    assert datetime.fromisoformat(answer.json()["expires_at"]) == end + timedelta(days=2)
    assert await move(ada, made, "extend") == (409, "trials.no_more_extensions")
    await kit.set_time(end + timedelta(days=1))
    assert await call(program, key) == "standard"
    await kit.set_time(end + timedelta(days=2))
    assert await call(program, key) == "keys.trial_ended"


@pytest.mark.parametrize(("days", "by"), [(None, 14), (30, 14), (1, 1)])
async def test_an_extension_is_never_longer_than_a_trial(ada, days, by):
    made = await begin(ada)
    later = (await ada.post(f"/v1/trials/{made['id']}/extend", json={"days": days})).json()["expires_at"]
    assert datetime.fromisoformat(later) - datetime.fromisoformat(made["expires_at"]) == timedelta(days=by)


async def test_a_product_may_let_its_owners_extend_as_often_as_they_like(start):
    ada = await (await start(trial_product(trials=Trials("standard", extensions=None)))).sign_in("ada")
    made = await begin(ada)
    for _ in range(4):
        assert await move(ada, made, "extend") == (200, "active")
    assert (await ada.get(f"/v1/trials/{made['id']}")).json()["extensions_left"] is None


async def test_409_more_active_trials_than_the_product_allows(kit, ada):
    made = [await begin(ada, str(number)) for number in range(3)]
    refused = await ada.post("/v1/trials", json={"name": "more"})
    assert (refused.status_code, refused.json()["code"]) == (409, "trials.too_many")
    assert (refused.json()["most"], refused.json()["active"]) == (3, 3)
    assert (await move(ada, made[0], "cancel"))[0] == 200
    await begin(ada, "more")
    # One that is over counts no more, whether or not that is written down.
    await kit.move(timedelta(days=14))
    await begin(ada, "after")


async def test_the_list_goes_by_status_and_in_pages(kit, ada):
    first = await begin(ada, "first")
    await kit.move(timedelta(hours=20))
    second = await begin(ada, "second")
    third = await begin(ada, "third")
    await move(ada, second, "cancel")
    await kit.set_time(datetime.fromisoformat(first["expires_at"]))

    async def listed(**query):
        answer = (await ada.get("/v1/trials", params=query)).json()
        return [one["name"] for one in answer["items"]], answer["next_cursor"]

    assert await listed() == (["third", "second", "first"], None)
    for status, names in (("active", ["third"]), ("expired", ["first"]), ("cancelled", ["second"]), ("converted", [])):
        assert await listed(status=status) == (names, None)
    assert await listed(limit=2) == (["third", "second"], second["id"])
    assert await listed(limit=2, cursor=second["id"]) == (["first"], None)
    assert await listed(offset=1) == (["second", "first"], None)
    assert (await ada.get("/v1/trials", params={"status": "gone"})).status_code == 422
    assert (await ada.get(f"/v1/trials/{third['id']}")).json()["status"] == "active"


async def test_a_list_with_keys_is_one_statement(kit, ada, statements):
    for number in range(3):
        made = await begin(ada, str(number))
        for label in "ab":
            await give_key(ada, made, label)
    queries = {}
    for path in ("/v1/trials?status=active", "/v1/trials", f"/v1/trials/{made['id']}"):
        with statements(kit) as count:
            answer = (await ada.get(path)).json()
            queries[path] = count()
    # The session, and the trials with their holders and keys.
    assert set(queries.values()) == {2}
    assert [key["label"] for key in answer["keys"]] == ["b", "a"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None), ("POST", "/extend", None), ("POST", "/cancel", None), ("POST", "/convert", None),
        ("GET", "/keys", None), ("POST", "/keys", {"label": "mine"}), ("DELETE", f"/keys/{NOBODYS}", None),
    ],
)  # fmt: skip
async def test_404_other_peoples_trials(kit, ada, method, path, body):
    made, grace = await begin(ada), await kit.sign_in("grace")
    await give_key(ada, made)
    assert (await grace.get("/v1/trials")).json()["items"] == []
    for trial in (made["id"], NOBODYS):
        refused = await grace.request(method, f"/v1/trials/{trial}{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (404, "trials.not_found")
    assert (await ada.get(f"/v1/trials/{made['id']}")).json()["status"] == "active"


async def test_403_a_key_does_nothing_with_trials(ada, program):
    made = await begin(ada)
    bearer = {"Authorization": f"Bearer {(await give_key(ada, made))['secret']}"}
    for method, path in (("GET", ""), ("POST", ""), ("POST", f"/{made['id']}/convert"), ("GET", f"/{made['id']}/keys")):
        refused = await program.request(method, f"/v1/trials{path}", headers=bearer, json={"name": "A"})
        assert (refused.status_code, refused.json()["code"]) == (403, "request.person_needed"), path


async def test_401_strangers(program):
    assert (await program.get("/v1/trials")).status_code == 401
    assert (await program.post("/v1/trials", json={"name": "A"})).status_code == 401


async def test_a_product_without_trials_has_no_route_for_them(start):
    ada = await (await start(trial_product(trials=None))).sign_in("ada")
    assert (await ada.get("/v1/trials")).status_code == 404


async def test_every_move_is_answered_for(kit, ada):
    first, second = await begin(ada, "first"), await begin(ada, "second")
    await move(ada, first, "extend")
    await move(ada, first, "cancel")
    await move(ada, second, "convert")
    async with kit.system.service(writes=False) as ctx:
        entries = [one for one in await latest_entries(ctx.db) if one.action.startswith("trial.")]
    told = [(one.action, one.subject_id, one.actor_kind) for one in reversed(entries)]
    assert told == [
        ("trial.started", first["id"], "user"),
        ("trial.started", second["id"], "user"),
        ("trial.extended", first["id"], "user"),
        ("trial.cancelled", first["id"], "user"),
        ("trial.converted", second["id"], "user"),
    ]


@pytest.mark.parametrize(
    ("held", "plan", "outcome"),
    [
        ("free", None, (200, "converted")),
        ("free", "free", (200, "converted")),
        ("free", "club", (200, "converted")),
        ("free", "standard", (403, "trials.plan_not_free")),
        ("free", "enterprise", (403, "trials.plan_not_free")),
        ("free", "gold", (422, "holders.plan_unknown")),
        ("standard", None, (200, "converted")),
        ("standard", "standard", (200, "converted")),
        ("standard", "free", (403, "trials.plan_not_free")),
        ("standard", "enterprise", (403, "trials.plan_not_free")),
    ],
)
async def test_converting_costs_nothing_and_gives_nothing(kit, ada, held, plan, outcome):
    user = UUID((await ada.get("/v1/me")).json()["id"])
    async with kit.system.service() as ctx:
        own = await by_user(ctx.db, user)
        await set_plan(ctx, own.id, held, source="admin", reason="a test")
    made = await begin(ada)
    answer = await move(ada, made, "convert", **({"plan": plan} if plan else {}))
    assert answer == outcome
    async with kit.system.service(writes=False) as ctx:
        now = await by_user(ctx.db, user)
    assert now.plan == (plan or held if outcome[0] == 200 else held)
    assert (await ada.get(f"/v1/trials/{made['id']}")).json()["status"] == (
        "converted" if outcome[0] == 200 else "active"
    )
