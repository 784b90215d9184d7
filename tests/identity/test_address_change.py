"""Changing one's e-mail address: both addresses agree, in any order and any browser, then it happens."""

import asyncio
from uuid import UUID

import pytest

from identity.address_steps import (
    NEW,
    OLD,
    address_of,
    addresses,
    approve,
    ask,
    confirm,
    entries,
    follow,
    letters,
    number_of,
    rows,
    unprove,
)
from identity.mailbox import link_in, mailbox, token_in
from tenantry.identity import queries
from tenantry.identity.events import UserAddressChanged
from tenantry.kernel import Module
from tenantry.kernel.jobs import plan_periodic

# --- Both agree ---


@pytest.mark.parametrize("order", ["new first", "old first"])
async def test_it_happens_when_both_have_agreed_whichever_first(kit, order):
    ada = await kit.sign_in("ada")
    pending = (await ask(ada))["pending"]
    assert (pending["email"], pending["confirmed"], pending["approved"]) == (NEW, False, False)
    assert pending["expires_at"] == "2026-03-15T12:00:00Z"
    to_new, to_old = await letters(kit)
    steps = [(confirm, to_new, "confirmed"), (approve, to_old, "approved")]
    first, last = steps if order == "new first" else steps[::-1]
    stranger = await kit.client()
    said = await first[0](stranger, first[1])
    assert said.status_code == 200
    assert await address_of(ada) == OLD
    assert (await ada.get("/v1/me/email")).json()["pending"][first[2]] is True
    said = await last[0](stranger, last[1])
    assert (said.status_code, NEW in said.text) == (200, True)
    assert await rows(kit, addresses) == [NEW]
    assert (await kit.sign_in("ada")).cookies["session"]
    assert [await rows(kit, one) for one in number_of.values()] == [[0], [0]]
    assert await rows(kit, entries) == [
        "address_change.asked", f"address_change.{first[2]}", "user.address_changed",
    ]  # fmt: skip


async def test_every_other_session_ends_and_the_own_token_is_another(kit):
    here, there = await kit.sign_in("ada"), await kit.sign_in("ada")
    await ask(here)
    to_new, to_old = await letters(kit)
    assert (await confirm(await kit.client(), to_new)).status_code == 200
    before = here.cookies["session"]
    done = await approve(here, to_old)
    assert (done.status_code, done.headers["location"]) == (303, "/settings?done=email-changed#email")
    assert here.cookies["session"] != before
    assert [(await one.get("/v1/me")).status_code for one in (here, there)] == [200, 401]
    thief = await kit.client(cookie=f"session={before}")
    assert (await thief.get("/v1/me")).status_code == 401
    assert await address_of(here) == NEW


async def test_signed_in_as_somebody_else_the_link_acts_for_its_own_person(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await ask(ada)
    to_new, to_old = await letters(kit)
    before = grace.cookies["session"]
    await confirm(grace, to_new)
    done = await approve(grace, to_old)
    assert (done.status_code, grace.cookies["session"]) == (200, before)
    assert await address_of(grace) == "grace@example.com"
    assert (await ada.get("/v1/me")).status_code == 401
    assert await rows(kit, addresses) == [NEW, "grace@example.com"]


async def test_the_old_address_is_told_afterwards(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    to_new, to_old = await letters(kit)
    await confirm(ada, to_new)
    await approve(ada, to_old)
    told = (await mailbox(kit, OLD))[-1]
    assert told.subject == "Your e-mail address was changed"
    assert NEW in told.text
    assert "/auth/verify" not in told.text


async def test_what_was_mailed_before_is_worth_nothing_afterwards(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    mails = await letters(kit)
    await confirm(ada, mails[0])
    await approve(ada, mails[1])
    for mail in mails:
        gone = await ada.get(link_in(mail))
        used = await ada.post("/auth/verify", data={"token": token_in(mail), "choice": "approve"})
        assert [(one.status_code, one.json()["code"]) for one in (gone, used)] == [(400, "identity.link_expired")] * 2


async def test_an_address_that_was_never_proven_is_not_asked(kit):
    ada = await kit.sign_in("ada")
    async with kit.system.service() as ctx:
        await ctx.db.run(unprove, address=OLD)
    assert (await ask(ada))["pending"]["approved"] is True
    assert await mailbox(kit, OLD) == []
    (to_new,) = await mailbox(kit, NEW)
    await confirm(await kit.client(), to_new)
    assert await rows(kit, addresses) == [NEW]
    again = await kit.sign_in("ada")
    assert (await again.get("/v1/me/email")).json() == {"email": NEW, "email_verified": True, "pending": None}


async def test_others_hear_of_it_in_the_same_transaction(start, product_of):
    heard = []

    async def hear(ctx, event):
        heard.append((event.user_id, (await queries.users.known(ctx.db, event.user_id)).email))

    kit = await start(product_of(modules=[Module("listener", handlers={UserAddressChanged: hear})]))
    ada = await kit.sign_in("ada")
    me = UUID((await ada.get("/v1/me")).json()["id"])
    await ask(ada)
    to_new, to_old = await letters(kit)
    await confirm(ada, to_new)
    assert heard == []
    await approve(ada, to_old)
    assert heard == [(me, NEW)]


# --- It does not happen ---


async def test_a_newer_change_replaces_the_older_and_its_links(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    older = await letters(kit)
    await confirm(ada, older[0])
    assert (await ask(ada, "third@new.example"))["pending"]["confirmed"] is False
    for mail in older:
        used = await ada.post("/auth/verify", data={"token": token_in(mail), "choice": "approve"})
        assert used.json()["code"] == "identity.link_expired"
    newer = await letters(kit, new="third@new.example")
    await approve(ada, newer[1])
    await confirm(ada, newer[0])
    assert await rows(kit, addresses) == ["third@new.example"]


async def test_cancelled_its_links_are_worth_nothing(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    mails = await letters(kit)
    await confirm(ada, mails[0])
    assert (await ada.delete("/v1/me/email")).status_code == 204
    assert (await ada.get("/v1/me/email")).json()["pending"] is None
    assert (await ada.delete("/v1/me/email")).status_code == 204
    for mail in mails:
        used = await ada.post("/auth/verify", data={"token": token_in(mail), "choice": "approve"})
        assert used.json()["code"] == "identity.link_expired"
    assert (await rows(kit, entries)).count("address_change.cancelled") == 1


@pytest.mark.parametrize("choice", ["cancel", ""])
async def test_the_old_address_says_no_and_whoever_asked_is_signed_out(kit, choice):
    thief = await kit.sign_in("ada")
    await ask(thief)
    to_new, to_old = await letters(kit)
    await confirm(thief, to_new)
    owner = await kit.sign_in("ada")
    refused = await follow(owner, to_old, choice=choice)
    assert refused.status_code == 200
    assert [(await one.get("/v1/me")).status_code for one in (owner, thief)] == [200, 401]
    assert await rows(kit, addresses) == [OLD]
    assert [await rows(kit, one) for one in number_of.values()] == [[0], [0]]


async def test_after_24_hours_it_is_over_and_then_deleted(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    mails = await letters(kit)
    await kit.move(hours=23, minutes=59)
    assert (await (await kit.client()).get(link_in(mails[1]))).status_code == 200
    await kit.move(minutes=1)
    for mail in mails:
        answer = await (await kit.client()).post("/auth/verify", data={"token": token_in(mail), "choice": "approve"})
        assert answer.json()["code"] == "identity.link_expired"
    ada = await kit.sign_in("ada")
    assert (await ada.get("/v1/me/email")).json()["pending"] is None
    await kit.move(minutes=11)
    await plan_periodic(kit.runtime)
    await kit.run_jobs()
    assert [await rows(kit, one) for one in number_of.values()] == [[0], [0]]


async def test_taken_meanwhile_it_is_told_and_given_up(kit):
    ada = await kit.sign_in("ada")
    await ask(ada, "grace@example.com")
    to_new, to_old = await letters(kit, new="grace@example.com")
    await confirm(ada, to_new)
    grace = await kit.sign_in("grace")
    answer = await approve(ada, to_old)
    assert (answer.status_code, answer.json()["code"]) == (409, "identity.address_taken")
    assert await rows(kit, addresses) == [OLD, "grace@example.com"]
    assert (await ada.get("/v1/me/email")).json()["pending"] is None
    assert [(await one.get("/v1/me")).status_code for one in (ada, grace)] == [200, 200]
    assert (await rows(kit, entries))[-1] == "address_change.taken"


@pytest.mark.parametrize("address", [OLD, "ADA@EXAMPLE.COM"])
async def test_409_the_address_one_has(kit, address):
    ada = await kit.sign_in("ada")
    answer = await ada.post("/v1/me/email", json={"email": address})
    assert (answer.status_code, answer.json()["code"]) == (409, "identity.address_unchanged")
    assert await mailbox(kit, OLD) == []


async def test_403_without_a_fresh_proof(kit):
    ada = await kit.sign_in("ada")
    await kit.move(minutes=10)
    answer = await ada.post("/v1/me/email", json={"email": NEW})
    assert (answer.status_code, answer.json()["code"]) == (403, "identity.confirmation_needed")
    assert (await ada.get("/v1/me/email")).json()["pending"] is None
    # Taking one back is never dangerous.
    assert (await ada.delete("/v1/me/email")).status_code == 204


async def test_429_too_many_mails(kit):
    ada = await kit.sign_in("ada")
    for number in range(5):
        await ask(ada, f"ada{number}@new.example")
    answer = await ada.post("/v1/me/email", json={"email": NEW})
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert await mailbox(kit, NEW) == []
    # Nor may several people together flood one mailbox.
    grace = await kit.sign_in("grace")
    for _ in range(4):
        await ask(grace, "ada0@new.example")
    assert (await grace.post("/v1/me/email", json={"email": "ada0@new.example"})).status_code == 429


@pytest.mark.parametrize(
    "body",
    [{}, {"email": None}, {"email": 7}, {"email": "nobody"}, {"email": NEW, "user_id": str(UUID(int=7))}, [NEW]],
)
async def test_422_bodies_that_cannot_be(kit, body):
    ada = await kit.sign_in("ada")
    answer = await ada.post("/v1/me/email", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/me/email"), ("POST", "/v1/me/email"), ("DELETE", "/v1/me/email")]
)
async def test_401_strangers(kit, method, path):
    client = await kit.client()
    body = {"json": {"email": NEW}} if method == "POST" else {}
    assert (await client.request(method, path, **body)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/me/email"), ("DELETE", "/v1/me/email"), ("POST", "/settings/email")]
)
async def test_403_from_another_site(kit, method, path):
    ada = await kit.sign_in("ada")
    body = {"json": {"email": NEW}} if path.startswith("/v1") and method == "POST" else {}
    answer = await ada.request(method, path, headers={"origin": "https://evil.example"}, **body)
    assert (answer.status_code, answer.json()["code"]) == (403, "web.cross_site")


# --- For apps ---


async def agree(client, door, mail, **headers):
    return await client.post(f"/v1/auth/email/{door}", json={"token": token_in(mail)}, headers=headers)


async def test_apps_do_the_same_by_json(kit):
    ada = await kit.sign_in("ada")
    bearer = {"authorization": f"Bearer {ada.cookies['session']}"}
    app = await kit.client()
    begun = await app.post("/v1/me/email", json={"email": NEW}, headers=bearer)
    assert begun.status_code == 202
    to_new, to_old = await letters(kit)
    confirmed = await agree(await kit.client(), "confirm", to_new)
    assert confirmed.json() == {"email": NEW, "changed": False, "token": None}
    approved = await agree(app, "approve", to_old, **bearer)
    assert (approved.json()["changed"], approved.headers["cache-control"]) == (True, "no-store")
    assert "set-cookie" not in approved.headers
    assert (await app.get("/v1/me", headers=bearer)).status_code == 401
    renewed = {"authorization": f"Bearer {approved.json()['token']}"}
    assert (await app.get("/v1/me", headers=renewed)).json()["email"] == NEW


async def test_with_a_cookie_the_new_token_comes_in_one(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    to_new, to_old = await letters(kit)
    await agree(ada, "approve", to_old)
    before = ada.cookies["session"]
    assert (await agree(ada, "confirm", to_new)).json() == {"email": NEW, "changed": True, "token": None}
    assert ada.cookies["session"] != before
    assert await address_of(ada) == NEW


async def test_apps_say_no_too(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    to_new, to_old = await letters(kit)
    assert (await agree(await kit.client(), "decline", to_new)).json()["code"] == "identity.link_expired"
    assert (await agree(await kit.client(), "decline", to_old)).status_code == 204
    assert (await ada.get("/v1/me")).status_code == 401
    assert await rows(kit, addresses) == [OLD]


@pytest.mark.parametrize("door", ["confirm", "approve", "decline"])
async def test_a_mailed_token_is_taken_by_its_own_door_from_our_own_pages(kit, door):
    ada = await kit.sign_in("ada")
    await ask(ada)
    mails = await letters(kit)
    wrong, right = mails if door != "confirm" else mails[::-1]
    assert (await agree(ada, door, wrong)).json()["code"] == "identity.link_expired"
    assert (await agree(ada, door, right, origin="https://evil.example")).json()["code"] == "web.cross_site"
    for body in ({}, {"token": 7}, {"token": None}, {"token": "x" * 101}, {"token": "x", "email": NEW}):
        assert (await ada.post(f"/v1/auth/email/{door}", json=body)).status_code == 422
    assert (await ada.get("/v1/me/email")).json()["pending"]["email"] == NEW


# --- Two at once ---


async def test_both_links_at_the_same_moment_change_it_once(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    to_new, to_old = await letters(kit)
    clients = [await kit.client() for _ in range(4)]
    answers = await asyncio.gather(
        clients[0].post("/auth/verify", data={"token": token_in(to_new)}),
        clients[1].post("/auth/verify", data={"token": token_in(to_new)}),
        clients[2].post("/auth/verify", data={"token": token_in(to_old), "choice": "approve"}),
        clients[3].post("/auth/verify", data={"token": token_in(to_old), "choice": "approve"}),
    )
    assert sorted(one.status_code for one in answers) == [200, 200, 400, 400]
    assert await rows(kit, addresses) == [NEW]
    assert (await rows(kit, entries)).count("user.address_changed") == 1


async def test_asking_anew_while_a_link_is_used_ends_in_one_of_the_two(kit):
    ada = await kit.sign_in("ada")
    await ask(ada)
    to_new, to_old = await letters(kit)
    await confirm(ada, to_new)
    other = await kit.client()
    asked, used = await asyncio.gather(
        ada.post("/v1/me/email", json={"email": "third@new.example"}),
        other.post("/auth/verify", data={"token": token_in(to_old), "choice": "approve"}),
    )
    # Nobody waits for the other in a circle: never a 503.
    assert (asked.status_code, used.status_code) in {(202, 400), (401, 200)}
    assert await rows(kit, addresses) == [OLD if used.status_code == 400 else NEW]


async def test_two_people_who_get_one_address_at_the_same_moment(kit):
    people = [await kit.sign_in(name) for name in ("ada", "grace")]
    links = []
    for person, old in zip(people, (OLD, "grace@example.com"), strict=True):
        await ask(person, "both@new.example")
        to_new, to_old = await letters(kit, new="both@new.example", old=old)
        await confirm(person, to_new)
        links.append(token_in(to_old))
    answers = await asyncio.gather(
        *(
            one.post("/auth/verify", data={"token": link, "choice": "approve"})
            for one, link in zip(people, links, strict=True)
        )
    )
    assert sorted(one.status_code for one in answers) == [303, 409]
    assert (await rows(kit, addresses)).count("both@new.example") == 1


# --- Pages ---


async def test_the_form_keeps_what_was_typed_and_says_what_is_wrong(kit):
    ada = await kit.sign_in("ada", client=await kit.client(accept="text/html"))
    shown = await ada.get("/settings/email")
    assert (shown.status_code, OLD in shown.text) == (200, True)
    wrong = await ada.post("/settings/email", data={"email": "not <an> address"})
    assert (wrong.status_code, "not &lt;an&gt; address" in wrong.text) == (422, True)
    assert 'aria-invalid="true"' in wrong.text
    same = await ada.post("/settings/email", data={"email": OLD})
    assert (same.status_code, "This is your e-mail address already." in same.text) == (409, True)
    sent = await ada.post("/settings/email", data={"email": f" {NEW} "})
    assert (sent.status_code, sent.headers["location"]) == (303, "/settings?done=email#email")
    overview = (await ada.get(sent.headers["location"])).text
    assert f"Changing to {NEW}" in overview
    cancelled = await ada.post("/settings/email/cancel")
    assert cancelled.headers["location"] == "/settings?done=email-cancelled#email"
    assert "Changing to" not in (await ada.get(cancelled.headers["location"])).text


async def test_the_form_asks_for_a_fresh_proof_first(kit):
    ada = await kit.sign_in("ada", client=await kit.client(accept="text/html"))
    await kit.move(minutes=10)
    for answer in (await ada.get("/settings/email"), await ada.post("/settings/email", data={"email": NEW})):
        assert answer.status_code == 303
        assert answer.headers["location"] == "/auth/confirm?return_to=%2Fsettings%2Femail"
    assert await mailbox(kit, NEW) == []


async def test_the_mails_are_in_the_readers_language(kit):
    ada = await kit.sign_in("ada", client=await kit.client(**{"accept-language": "de"}))
    await ask(ada)
    to_new, to_old = await letters(kit)
    assert (to_new.subject, to_old.subject) == (
        "Bestätigen Sie Ihre neue E-Mail-Adresse",
        "Geben Sie Ihre neue E-Mail-Adresse frei",
    )
    shown = await (await kit.client(**{"accept-language": "de", "accept": "text/html"})).get(link_in(to_old))
    assert "E-Mail-Adresse ändern?" in shown.text
