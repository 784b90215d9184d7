"""Every POST that creates takes an `Idempotency-Key`, says so, and nothing else does."""

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from house.rules import routes
from tenantry import Credits, Organizations
from tenantry.blueprints import screening_api
from tenantry.testing import AppKit

product = replace(screening_api.product, credits=Credits(), organizations=Organizations())
CREATING = {
    "POST /v1/checkout",
    "POST /v1/credits/reservations",
    "POST /v1/credits/spend",
    "POST /v1/keys",
    "POST /v1/keys/{key_id}/rotate",
    "POST /v1/me/passkeys",
    "POST /v1/organizations",
    "POST /v1/organizations/{organization_id}/invitations",
    "POST /v1/trials",
    "POST /v1/trials/{trial_id}/keys",
}
MARKED = {
    "POST /v1/invitations/accept": "who lost the answer would be told that the invitation is over",
    "POST /v1/invitations/{invitation_id}/accept": "the same",
    "POST /v1/organizations/{organization_id}/invitations/{invitation_id}/resend": "who repeats it sends two mails",
    "POST /v1/trials/{trial_id}/convert": "who lost the answer would be told that the trial is not active",
    "POST /v1/trials/{trial_id}/extend": "who repeats it would extend the trial twice",
}
TOLD = {
    "400": "idempotency.key_malformed",
    "409": "idempotency.in_progress",
    "422": "idempotency.key_reused",
}


@pytest.fixture
async def kit(start: Any) -> AppKit:
    started: AppKit = await start(product)
    return started


def creating(kit: AppKit) -> set[str]:
    posts = [door for door in routes.doors(kit.app) if door.method == "POST" and door.route is not None]
    return {str(door) for door in posts if door.route is not None and door.route.status_code == 201}


def is_key(parameter: dict[str, Any]) -> bool:
    return (parameter["in"], parameter["name"].lower()) == ("header", "idempotency-key")


async def test_the_routes_that_create_are_known(kit: AppKit) -> None:
    assert creating(kit) == CREATING


async def test_every_route_that_creates_looks_at_the_key(kit: AppKit) -> None:
    """By its refusal of what is no key; all other routes of the API pay no heed to it."""
    ada = await kit.sign_in("ada")
    doors = [door for door in routes.doors(kit.app) if door.method == "POST" and door.is_json]
    heeding = set()
    for door in doors:
        if (await ada.get("/v1/me")).status_code == 401:
            ada = await kit.sign_in("ada")  # The one before ended the session.
        path = re.sub(r"{[^}]*}", str(UUID(int=1)), door.path)
        answer = await ada.post(path, json={}, headers={"Idempotency-Key": "no key"})
        if answer.status_code == 400 and answer.json()["code"] == "idempotency.key_malformed":
            heeding.add(str(door))
    assert heeding == creating(kit) | set(MARKED)


async def test_exactly_those_routes_document_it(kit: AppKit) -> None:
    documented, answered = set(), set()
    for path, item in kit.app.openapi()["paths"].items():
        for method, operation in item.items():
            if any(map(is_key, operation.get("parameters", ()))):
                documented.add(f"{method.upper()} {path}")
            told = {status for status, code in TOLD.items() if code in str(operation["responses"].get(status))}
            if told == set(TOLD):
                answered.add(f"{method.upper()} {path}")
                success = operation["responses"].get("201") or operation["responses"]["200"]
                assert "Idempotent-Replayed" in success["headers"]
            else:
                assert told == set()
    assert documented == answered == creating(kit) | set(MARKED)


async def test_it_is_described_once_however_often_the_application_is_made(start: Any, kit: AppKit) -> None:
    again: AppKit = await start(product)
    operation = again.app.openapi()["paths"]["/v1/keys"]["post"]
    assert len(list(filter(is_key, operation["parameters"]))) == 1
    ada = await again.sign_in("ada")
    headers = {"Idempotency-Key": "k"}
    answers = [await ada.post("/v1/keys", json={"label": "robot"}, headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].content == answers[1].content
