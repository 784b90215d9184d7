"""`PATCH /v1/me`: the name, and nothing else."""

import json

import pytest


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Countess", "Countess"),
        ("  Ada  ", "Ada"),
        ("x", "x"),
        ("y" * 255, "y" * 255),
        ("\U0001f9ee", "\U0001f9ee"),
        (None, None),
    ],
)
async def test_a_name(kit, sent, kept):
    client = await kit.sign_in("ada")
    await kit.move(minutes=1)
    answer = await client.patch("/v1/me", json={"name": sent})
    assert (answer.status_code, answer.json()["name"]) == (200, kept)
    # One representation: what the change answers is what is read afterwards.
    assert answer.json() == (await client.get("/v1/me")).json()
    assert (answer.json()["created_at"], answer.json()["updated_at"]) == (
        "2026-03-14T12:00:00Z",
        "2026-03-14T12:01:00Z",
    )


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 256, 7, True, [], {}, "a\nb", "a\u202eb", "a\x00b", "\ud800"]
)  # fmt: skip
async def test_422_a_name_that_is_none(kit, name):
    client = await kit.sign_in("ada")
    # Escaped as ASCII: the client's own encoder refuses half a character.
    body = {"content": json.dumps({"name": name}), "headers": {"content-type": "application/json"}}
    answer = await client.patch("/v1/me", **body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["body.name"]
    assert (await client.get("/v1/me")).json()["name"] == "Ada Lovelace"


@pytest.mark.parametrize(
    "more",
    [
        {"email": "eve@example.com"}, {"plan": "pro"}, {"id": "0"}, {"email_verified_at": None}, {"deleted_at": None},
        {"image": "https://x"}, {"is_admin": True}, {"__proto__": {}}, {"user_id": "0"}, {"updated_at": "2030-01-01"},
    ],
)  # fmt: skip
async def test_422_any_other_field(kit, more):
    client = await kit.sign_in("ada")
    answer = await client.patch("/v1/me", json={"name": "Eve", **more})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "extra_forbidden"
    me = (await client.get("/v1/me")).json()
    assert (me["name"], me["email"]) == ("Ada Lovelace", "ada@example.com")


@pytest.mark.parametrize("body", ["{}", "[]", "null", "7", '"name"', ""])
async def test_422_no_name_at_all(kit, body):
    client = await kit.sign_in("ada")
    answer = await client.patch("/v1/me", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


async def test_only_ones_own(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await ada.patch("/v1/me", json={"name": "Eve"})
    assert (await grace.get("/v1/me")).json()["name"] == "Grace Hopper"
