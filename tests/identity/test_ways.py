"""`/v1/auth/ways` and `/v1/auth/sign-out`: for apps that draw their own pages."""

import pytest

from identity.mailbox import mailbox, token_in
from identity.mailed import ADA, ask_for_link, confirm, mailing_product, me
from tenantry import GitHub, Google, MagicLink, Passkey, Password


async def test_apps_are_told_every_way_in(start):
    ways = (Google(), GitHub(), Password(length_min=10), MagicLink(sign_up=False), Passkey())
    kit = await start(mailing_product(*ways), google_client_id="g", google_client_secret="gs")
    client = await kit.client()
    told = (await client.get("/v1/auth/ways")).json()
    assert told == {
        "providers": [
            {"name": "google", "label": "Google", "start_url": "http://127.0.0.1:8000/auth/google/start"},
            {"name": "demo", "label": "Demo", "start_url": "http://127.0.0.1:8000/auth/demo/start"},
        ],
        "password": {"length_min": 10, "sign_up": True, "needed_at_sign_up": True},
        "magic_link": {"sign_up": False},
        "passkey": True,
    }


@pytest.mark.parametrize(
    ("ways", "password", "magic_link"),
    [
        ((Google(),), None, None),
        ((Password(sign_up=False),), (False, False), None),
        ((Password(),), (True, True), None),
        ((Password(), MagicLink()), (True, False), True),
        ((MagicLink(),), None, True),
    ],
)
async def test_what_is_not_offered_is_null(start, ways, password, magic_link):
    kit = await start(mailing_product(*ways))
    client = await kit.client()
    told = (await client.get("/v1/auth/ways")).json()
    if password is None:
        assert told["password"] is None
    else:
        assert (told["password"]["sign_up"], told["password"]["needed_at_sign_up"]) == password
    assert told["magic_link"] == (None if magic_link is None else {"sign_up": magic_link})
    assert told["passkey"] is False


async def test_signing_out_ends_the_session_of_the_cookie_or_of_the_bearer(start):
    kit = await start(mailing_product())
    client, app = await kit.client(), await kit.client()
    await ask_for_link(client)
    await confirm(client, token_in((await mailbox(kit, ADA))[-1]))
    kept = dict(client.cookies)
    await app.post("/v1/auth/magic-link", json={"email": ADA})
    body = {"token": token_in((await mailbox(kit, ADA))[-1]), "deliver": "token"}
    bearer = {"authorization": f"Bearer {(await app.post('/v1/auth/magic-link/confirm', json=body)).json()['token']}"}
    assert (await client.post("/v1/auth/sign-out")).status_code == 204
    assert await me(client) is None
    client.cookies.update(kept)
    assert await me(client) is None
    assert (await app.get("/v1/me", headers=bearer)).status_code == 200
    assert (await app.post("/v1/auth/sign-out", headers=bearer)).status_code == 204
    assert (await app.get("/v1/me", headers=bearer)).status_code == 401


async def test_signing_out_nobody_is_204_too(start):
    kit = await start(mailing_product())
    client = await kit.client()
    assert (await client.post("/v1/auth/sign-out")).status_code == 204
