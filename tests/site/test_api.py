"""`GET /v1/me`."""

from uuid import UUID

from tenantry.holders import by_user, set_plan


async def test_me_says_who_is_signed_in_and_on_which_plan(kit):
    ada = await kit.sign_in("ada")
    answer = await ada.get("/v1/me")
    assert answer.status_code == 200
    me = answer.json()
    assert (me["email"], me["email_verified"], me["name"]) == ("ada@example.com", True, "Ada Lovelace")
    assert me["plan"] == {"name": "free", "display_name": "Free"}
    assert (me["provider"], me["organization_id"], me["stripe_product_id"]) == ("demo", None, None)
    assert (me["tokens"], me["tokens_expires_at"]) == (None, None)
    assert (me["role"], me["membership_status"]) == ("USER", "ACTIVE")
    assert me["created_at"].endswith("Z")
    assert me.keys() == {
        "id", "email", "email_verified", "name", "image", "provider", "role", "membership_status", "plan",
        "organization_id", "stripe_product_id", "tokens", "tokens_expires_at", "created_at", "updated_at",
    }  # fmt: skip


async def test_me_follows_a_change_of_plan_and_of_name(kit):
    ada = await kit.sign_in("ada")
    user = UUID((await ada.get("/v1/me")).json()["id"])
    async with kit.system.service() as ctx:
        holder = await by_user(ctx.db, user)
        await set_plan(ctx, holder.id, plan="pro", source="admin", reason="a test")
    assert (await ada.patch("/v1/me", json={"name": "Ada King"})).status_code == 200
    me = (await ada.get("/v1/me")).json()
    assert (me["plan"]["name"], me["name"]) == ("pro", "Ada King")


async def test_me_401(kit):
    answer = await (await kit.client()).get("/v1/me")
    assert answer.status_code == 401
    assert answer.json()["code"] == "request.unauthenticated"


async def test_me_is_one_statement_beside_the_look_up_of_the_session(kit, statements):
    ada = await kit.sign_in("ada")
    with statements(kit) as count:
        assert (await ada.get("/v1/me")).status_code == 200
    assert count() == 2


async def test_me_is_the_readers_own(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    assert (await ada.get("/v1/me")).json()["email"] == "ada@example.com"
    assert (await grace.get("/v1/me")).json()["email"] == "grace@example.com"
