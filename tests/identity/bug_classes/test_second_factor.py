"""Bug classes of other identity systems that a second step, and step-up, could repeat."""

import asyncio
from uuid import UUID

import pytest

from house.rules import routes
from identity.mailbox import code_in, mailbox
from identity.second_factors import STEP, App, code_of, half, is_signed_in
from tenantry.identity import queries, tokens
from tenantry.identity.actions.people import ban_user, delete_user
from tenantry.identity.errors import CodeWrong
from tenantry.identity.tokens import Purpose

ADA = "ada@example.com"
OF_NO_MODULE = {"GET /static", "POST /preferences"}


async def shown(client, **body):
    return await client.post("/v1/auth/second-factor", json=body)


async def user_of(browser):
    return UUID((await browser.get("/v1/me")).json()["id"])


async def factors_of(browser):
    return (await browser.get("/v1/me/second-factors")).json()


def outcomes(answers):
    return sorted(answer.status_code for answer in answers)


async def test_class_06_two_browsers_race_for_one_code_of_the_app(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    browsers = [await half(kit) for _ in range(4)]
    answers = await asyncio.gather(*(shown(one, code=app.code(kit)) for one in browsers))
    assert outcomes(answers) == [200, 400, 400, 400]
    assert {one.json()["code"] for one in answers if one.status_code == 400} == {"identity.code_wrong"}
    assert sum([await is_signed_in(one) for one in browsers]) == 1


async def test_class_06_two_browsers_race_for_one_recovery_code(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    browsers = [await half(kit) for _ in range(4)]
    answers = await asyncio.gather(*(shown(one, recovery_code=app.recovery_codes[0]) for one in browsers))
    assert outcomes(answers) == [200, 400, 400, 400]
    assert (await factors_of(ada))["recovery_codes_left"] == 9
    told = [mail for mail in await mailbox(kit, ADA) if mail.subject == "A recovery code was used"]
    assert len(told) == 1


async def test_class_06_two_browsers_race_for_one_half(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    token = (await half(kit)).cookies["half"]
    browsers = [await kit.client() for _ in range(4)]
    proofs = [{"code": app.code(kit)}, *({"recovery_code": code} for code in app.recovery_codes[:3])]
    pairs = zip(browsers, proofs, strict=True)
    answers = await asyncio.gather(*(shown(one, token=token, **proof) for one, proof in pairs))
    assert outcomes(answers) == [200, 400, 400, 400]
    assert {one.json()["code"] for one in answers if one.status_code == 400} == {"identity.sign_in_expired"}
    # Who came too late has used nothing up.
    used = 10 - (await factors_of(ada))["recovery_codes_left"]
    assert used == (0 if answers[0].status_code == 200 else 1)


async def test_class_06_two_browsers_race_for_the_first_code(kit):
    ada, second = await kit.sign_in("ada"), await kit.sign_in("ada")
    secret = (await ada.post("/v1/me/totp")).json()["secret"]
    first = {"code": code_of(kit, secret)}
    answers = await asyncio.gather(*(one.post("/v1/me/totp/confirm", json=first) for one in (ada, second)))
    assert outcomes(answers) == [200, 404]
    assert (await factors_of(ada))["recovery_codes_left"] == 10


async def test_class_06_two_tabs_race_for_one_mailed_code(kit):
    ada = await kit.sign_in("ada")
    await ada.post("/v1/auth/confirm/mail")
    code = code_in((await mailbox(kit, ADA))[-1])
    tabs = [await kit.client(Cookie=f"session={ada.cookies['session']}") for _ in range(3)]
    answers = await asyncio.gather(*(one.post("/v1/auth/confirm", json={"mailed_code": code}) for one in tabs))
    assert [one.status_code for one in answers].count(200) == 1
    assert {one.status_code for one in answers} <= {200, 400, 401}


async def test_class_07_nothing_of_the_half_answer_opens_a_signed_in_route(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    browser = await kit.client()
    answer = await kit.finish_sign_in(browser, "ada", await browser.get("/auth/demo/start"))
    cookies = [one.partition(";")[0].partition("=") for one in answer.headers.get_list("set-cookie")]
    values = {value for _name, _, value in cookies if value} | set(answer.headers.values())
    names = {name for name, _, _value in cookies} | {"session", "__Host-session"}
    headers = [{"Cookie": f"{name}={value}"} for name in sorted(names) for value in sorted(values)]
    headers += [{kind: value} for kind in ("Authorization", "X-API-Key") for value in sorted(values)]
    headers += [{"Authorization": f"Bearer {value}"} for value in sorted(values)]
    headers.append({"Cookie": "; ".join(f"{name}={value}" for name, _, value in cookies)})
    sendable = [one for one in headers if all(value.isascii() and value.isprintable() for value in one.values())]
    public = {name for module in kit.runtime.modules for name in module.public} | OF_NO_MODULE
    closed = [door for door in routes.doors(kit.app) if str(door) not in public]
    assert len(closed) > 15
    assert len(sendable) > 20
    thief = await kit.client()
    for door in closed:
        path = door.path.replace("{", "").replace("}", "")
        for header in sendable:
            refused = await thief.request(door.method, path, headers=header)
            assert refused.status_code == 401, (str(door), header)
        assert (await thief.request(door.method, path, headers=sendable[-1])).status_code == 401
        thief.cookies.clear()
    assert (await shown(browser, code=app.code(kit))).status_code == 200


async def test_class_07_the_half_answer_for_apps_holds_no_session_either(kit):
    await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    page = await client.get("/auth/second-factor")
    assert page.status_code == 200
    assert "sess_" not in page.text + str(page.headers)
    assert "ada@example.com" not in page.text
    assert not await is_signed_in(client)


@pytest.mark.parametrize("close", ["banned", "deleted", "marked"])
async def test_class_08_who_is_shut_out_between_the_halves_stays_out(kit, close):
    ada = await kit.sign_in("ada")
    app, user = await App.of(kit, ada), await user_of(ada)
    client = await half(kit)
    async with kit.system.service() as ctx:
        if close == "banned":
            await ban_user(ctx, user, reason="spam")
        elif close == "deleted":
            await delete_user(ctx, user, reason="asked for it")
        else:
            # Only the mark, as if what else belongs to a ban had failed.
            await queries.users.ban(ctx.db, user, ends=None, why="spam")
    refused = await shown(client, code=app.code(kit))
    assert (refused.status_code, refused.json()["code"]) in {
        (400, "identity.sign_in_expired"),
        (403, "identity.user_banned"),
    }
    assert not await is_signed_in(client)
    assert not await is_signed_in(ada)


async def test_class_08_a_ban_at_the_same_moment_leaves_no_session(kit):
    ada = await kit.sign_in("ada")
    app, user = await App.of(kit, ada), await user_of(ada)
    client = await half(kit)

    async def ban():
        async with kit.system.service() as ctx:
            await ban_user(ctx, user, reason="spam")

    await asyncio.gather(shown(client, code=app.code(kit)), ban())
    assert not await is_signed_in(client)


async def test_class_13_a_half_is_good_for_nothing_else(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    client = await half(kit)
    token = client.cookies["half"]
    stranger = await kit.client()
    shaped = f"sess_{token.rpartition('_')[2]}"
    for value in (token, shaped):
        for header in ({"Cookie": f"session={value}"}, {"Authorization": f"Bearer {value}"}):
            assert (await stranger.get("/v1/me", headers=header)).status_code == 401
    assert (await stranger.get(f"/auth/verify?token={token}")).status_code == 400
    assert (await stranger.post("/auth/verify", data={"token": token})).status_code == 400
    for purpose in set(Purpose) - {Purpose.SECOND_FACTOR}:
        shaped = f"{purpose.prefix}_{token.rpartition('_')[2]}"
        assert (await stranger.post("/auth/verify", data={"token": shaped})).status_code in {400, 404}
        assert (await shown(stranger, code=app.code(kit), token=shaped)).status_code == 400
    assert (await shown(client, code=app.code(kit))).status_code == 200


async def test_class_13_a_code_of_one_kind_is_none_of_another(kit):
    ada = await kit.sign_in("ada")
    await ada.post("/v1/auth/confirm/mail")
    mailed = code_in((await mailbox(kit, ADA))[-1])
    app = await App.of(kit, ada)
    client = await half(kit)
    wrong = [{"code": app.recovery_codes[0]}, {"recovery_code": app.code(kit)}, {"recovery_code": app.secret}]
    for body in [*wrong, *([{"code": mailed}] if mailed != app.code(kit) else [])]:
        assert (await shown(client, **body)).status_code == 400
    # Asked for before there was a second factor, it confirms no more.
    refused = await ada.post("/v1/auth/confirm", json={"mailed_code": mailed})
    assert refused.status_code == 403
    async with kit.system.service() as ctx:
        challenge = await queries.tokens.latest(ctx.db, Purpose.CONFIRM.value, await session_of(ada))
    assert challenge is not None
    for purpose in set(Purpose) - {Purpose.CONFIRM}:
        with pytest.raises(CodeWrong):
            async with kit.system.service() as ctx:
                await tokens.use_code(ctx, purpose, challenge, mailed)


async def session_of(browser):
    found = (await browser.get("/v1/me/sessions")).json()["items"]
    return next(one["id"] for one in found if one["current"])


async def test_class_15_nobody_reaches_anothers_factors(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    hers = await App.of(kit, grace)
    before = await factors_of(grace)
    his = (await ada.post("/v1/me/totp")).json()["secret"]
    await ada.post("/v1/me/totp/confirm", json={"code": code_of(kit, his)})
    await ada.post("/v1/me/recovery-codes")
    for body in ({"user_id": str(await user_of(grace))}, {"code": "123456", "user_id": str(await user_of(grace))}):
        assert (await ada.post("/v1/me/totp/confirm", json=body)).status_code == 422
    assert (await ada.delete("/v1/me/totp")).status_code == 204
    assert await factors_of(grace) == before
    client = await half(kit, "grace")
    assert (await shown(client, code=hers.code(kit))).status_code == 200


async def test_class_15_anothers_proof_confirms_nothing(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    hers = await App.of(kit, grace)
    await App.of(kit, ada)
    await kit.move(minutes=20)
    for body in ({"code": hers.code(kit)}, {"recovery_code": hers.recovery_codes[0]}):
        assert (await ada.post("/v1/auth/confirm", json=body)).status_code == 400
    assert (await factors_of(grace))["recovery_codes_left"] == 10


async def test_class_15_anothers_mailed_code_confirms_nothing(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")
    await grace.post("/v1/auth/confirm/mail")
    code = code_in((await mailbox(kit, "grace@example.com"))[-1])
    assert (await ada.post("/v1/auth/confirm", json={"mailed_code": code})).status_code == 400
    assert (await grace.post("/v1/auth/confirm", json={"mailed_code": code})).status_code == 200


async def test_class_25_guessing_goes_on_through_no_new_sign_in(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    for _ in range(2):
        client = await half(kit)
        for _ in range(5):
            assert (await shown(client, code=app.wrong_code(kit))).status_code == 400
        # The half has had its five, right or wrong.
        spent = await shown(client, code=app.code(kit))
        assert spent.status_code == 429
        assert int(spent.headers["retry-after"]) > 0
    for door in ("/v1/auth/second-factor", "/auth/second-factor"):
        client = await half(kit)
        kind = "json" if door.startswith("/v1") else "data"
        refused = await client.post(door, **{kind: {"code": app.code(kit)}})
        assert refused.status_code == 429
        assert not await is_signed_in(client)
    # Whose browser was signed in before does not wait for what strangers did.
    await kit.finish_sign_in(ada, "ada", await ada.get("/auth/demo/start"))
    assert (await shown(ada, code=app.code(kit))).status_code == 200
    await kit.move(minutes=15)
    assert (await shown(await half(kit), code=app.code(kit))).status_code == 200


async def test_class_25_a_right_code_gives_no_wrong_ones_back(kit):
    app = await App.of(kit, await kit.sign_in("ada"))
    wrong = 0
    for rounds in (5, 4):
        client = await half(kit)
        for _ in range(rounds):
            wrong += (await shown(client, code=app.wrong_code(kit))).status_code == 400
    assert (await shown(client, code=app.code(kit))).status_code == 200
    await kit.move(seconds=STEP)
    client = await half(kit)
    assert (await shown(client, code=app.wrong_code(kit))).status_code == 400
    assert (await shown(client, code=app.code(kit))).status_code == 429
    assert wrong == 9


async def test_class_25_confirming_is_counted_too(kit):
    ada = await kit.sign_in("ada")
    app = await App.of(kit, ada)
    for _ in range(10):
        assert (await ada.post("/v1/auth/confirm", json={"code": app.wrong_code(kit)})).status_code == 400
    refused = await ada.post("/v1/auth/confirm", json={"code": app.code(kit)})
    assert refused.status_code == 429
    page = await ada.post("/auth/confirm", data={"code": app.code(kit)})
    assert page.status_code == 429
    assert "too many attempts" in page.text


async def test_class_25_a_mailed_code_has_five_tries_and_a_new_mail_no_endless_more(kit):
    ada = await kit.sign_in("ada")
    tries = 0
    for _ in range(2):
        await ada.post("/v1/auth/confirm/mail")
        code = code_in((await mailbox(kit, ADA))[-1])
        wrong = "000000" if code != "000000" else "111111"
        for _ in range(5):
            tries += (await ada.post("/v1/auth/confirm", json={"mailed_code": wrong})).status_code == 400
        assert (await ada.post("/v1/auth/confirm", json={"mailed_code": code})).status_code == 429
    assert tries <= 10
    await ada.post("/v1/auth/confirm/mail")
    code = code_in((await mailbox(kit, ADA))[-1])
    assert (await ada.post("/v1/auth/confirm", json={"mailed_code": code})).status_code == 429
