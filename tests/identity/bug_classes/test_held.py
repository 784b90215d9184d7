"""Changes of how one signs in hold who asks: their session must live, and one proof does not last for ever."""

import asyncio
from uuid import UUID

import pytest
from msgspec.structs import replace

from identity.mailbox import code_in, mailbox
from identity.mailed import mailing_product
from identity.password_steps import ADA, entered, hash_of, person
from identity.second_factors import App
from tenantry import MagicLink, Password
from tenantry.identity.actions.password import remove_password
from tenantry.kernel.context import Actor
from tenantry.kernel.problems import Unauthenticated
from tenantry.web.translations import ENGLISH


@pytest.fixture
async def kit(start):
    return await start(mailing_product(Password(), MagicLink()))


async def test_class_08_a_change_that_was_under_way_when_the_session_ended_does_not_happen(kit):
    user = await person(kit)
    browser = await entered(kit)
    (session,) = (await browser.get("/v1/me/sessions")).json()["items"]
    actor = Actor("user", user_id=user, session_id=UUID(session["id"]), email=ADA, authenticated_at=kit.clock.now())
    await browser.post("/v1/auth/sign-out")
    with pytest.raises(Unauthenticated):
        await remove_password(replace(kit.system, actor=actor), ENGLISH)
    assert await hash_of(kit, user) is not None


async def test_class_07_changing_the_password_is_no_proof_that_keeps_a_session_recent(kit):
    await person(kit)
    browser = await entered(kit)
    await App.of(kit, browser)
    codes = []
    for number in range(2):
        await kit.move(minutes=9)
        answer = await browser.put("/v1/me/password", json={"password": f"another good password {number}"})
        codes.append(answer.status_code)
    assert codes[0] < 300
    assert codes[1] == 403
    assert (await browser.post("/v1/me/recovery-codes")).json()["code"] == "identity.confirmation_needed"


async def test_class_09_a_few_codes_of_many_addresses_are_stopped_too(kit):
    answers = []
    for number in range(10):
        browser = await kit.client()
        asked = await browser.post("/v1/auth/magic-link", json={"email": f"v{number}@example.com"})
        for code in range(5):
            body = {"challenge": asked.json()["challenge"], "code": f"{code:06}"}
            answers.append((await browser.post("/v1/auth/magic-link/confirm", json=body)).status_code)
    assert answers[:40] == [400] * 40
    assert answers[40:] == [429] * 10


async def test_class_06_tabs_race_for_one_code_that_confirms(kit):
    await person(kit)
    token = (await entered(kit)).cookies["session"]
    tabs = [await kit.client(Authorization=f"Bearer {token}") for _ in range(4)]
    assert (await tabs[0].delete("/v1/me/password")).status_code == 204
    assert (await tabs[0].post("/v1/auth/confirm/mail")).status_code == 204
    code = code_in((await mailbox(kit, ADA))[-1])
    answers = await asyncio.gather(*(one.post("/v1/auth/confirm", json={"mailed_code": code}) for one in tabs))
    won = [one.json()["token"] for one in answers if one.status_code == 200]
    assert len(won) == 1
    assert {one.status_code for one in answers} <= {200, 400, 401}
    # What they all had opens nothing any more.
    assert (await tabs[0].get("/v1/me")).status_code == 401
    assert (await (await kit.client(Authorization=f"Bearer {won[0]}")).get("/v1/me")).status_code == 200
