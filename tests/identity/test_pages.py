"""The sign-in page, as a browser without JavaScript reads it."""

import re

import pytest

from tenantry import GitHub, Google, MagicLink, OpenIDConnect

HTML = {"accept": "text/html"}


def links(text):
    return re.findall(r'href="([^"]*/auth/[^"]*)"', text)


async def test_the_ways_in(start, product_of):
    kit = await start(
        product_of(sign_in=[Google(), GitHub(), OpenIDConnect(label="Acme & Co")]),
        google_client_id="g", google_client_secret="gs",
        oidc_issuer="https://id.example.com", oidc_client_id="o", oidc_client_secret="os",
    )  # fmt: skip
    client = await kit.client()
    shown = await client.get("/signin", params={"return_to": "/settings?a=1"}, headers=HTML)
    assert shown.status_code == 200
    assert links(shown.text) == [
        f"http://127.0.0.1:8000/auth/{name}/start?return_to=%2Fsettings%3Fa%3D1" for name in ("google", "oidc", "demo")
    ]
    assert "Continue with Acme &amp; Co" in shown.text
    assert "Continue with a demo account" in shown.text
    assert "TENANTRY_GITHUB_CLIENT_ID" in shown.text  # said to the developer
    assert "gs" not in re.findall(r"\w+", shown.text)


async def test_without_any_way_in_the_page_says_so(start, product_of):
    kit = await start(product_of(sign_in=[Google(), GitHub()]), identity=None)
    client = await kit.client()
    shown = await client.get("/signin", headers=HTML)
    assert "GitHub is not set up" in shown.text
    assert "Nobody can sign in yet" in shown.text
    assert links(shown.text) == []


@pytest.mark.parametrize("sign_up", [True, False])
async def test_new_people_are_promised_an_account_where_they_get_one(start, product_of, sign_up):
    kit = await start(product_of(sign_in=[MagicLink(sign_up=sign_up)]), identity=None)
    shown = await (await kit.client()).get("/signin", headers=HTML)
    assert ("Your account is made at the first sign-in." in shown.text) == sign_up


async def test_who_is_signed_in_is_sent_on(kit):
    client = await kit.sign_in("ada")
    for query, target in (
        ("", "/dashboard"),
        ("?return_to=/settings", "/settings"),
        ("?return_to=//x.y", "/dashboard"),
    ):
        answer = await client.get(f"/signin{query}", headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, target)


async def test_in_german(kit):
    client = await kit.client()
    shown = await client.get("/signin", headers={**HTML, "accept-language": "de"})
    assert shown.headers["content-language"] == "de"
    assert "Bei Acme anmelden" in shown.text
    failed = await client.get("/auth/demo/callback", headers={**HTML, "accept-language": "de"})
    assert "Diese Anmeldung ist abgelaufen" in failed.text
    assert "Erneut anmelden" in failed.text


async def test_every_answer_here_is_private(kit):
    client = await kit.client()
    for path in ("/signin", "/auth/demo/start", "/auth/demo/callback", "/auth/nobody/start"):
        answer = await client.get(path, headers=HTML)
        assert "no-store" in answer.headers["cache-control"] or "private" in answer.headers["cache-control"], path
        assert "form-action" in answer.headers["content-security-policy"]


async def test_a_start_with_two_return_paths_is_refused(kit):
    client = await kit.client()
    assert (await client.get("/signin?return_to=/a&return_to=//b")).status_code == 422
    assert (await client.get("/auth/demo/start?return_to[]=/a")).status_code == 303


async def test_a_failed_sign_in_does_not_repeat_what_the_provider_sent(kit):
    client = await kit.client()
    back = await kit.consent("ada", await client.get("/auth/demo/start?return_to=/settings"))
    stranger = await kit.client()
    failed = await stranger.get(back, headers=HTML)
    assert failed.status_code == 400
    assert "/auth/demo/callback" not in failed.text
    for secret in re.findall(r"(?:code|state)=([^&]+)", back):
        assert secret not in failed.text
