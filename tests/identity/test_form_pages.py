"""Forms of signing in keep what was typed, tell what is wrong beside the field, and have the focus there."""

import re

import pytest

from identity.mailed import ADA, HTML, mailing_product
from identity.password_steps import PASSWORD, person
from tenantry.identity.limits import AT_AN_ACCOUNT, MAILS


@pytest.fixture
async def kit(start):
    return await start(mailing_product())


def focused(text):
    """The names of the fields that have the focus when the page comes; of several, browsers take the first."""
    return [
        re.search(r'name="(\w+)"', field)[1] for field in re.findall(r"<input [^>]*>", text) if "autofocus" in field
    ]


async def times(browser, count, path, **form):
    for _ in range(count):
        answer = await browser.post(path, data=form, headers=HTML)
    return answer


@pytest.mark.parametrize("path", ["/signin", "/signup", "/auth/reset"])
async def test_the_address_comes_first(kit, path):
    shown = await (await kit.client()).get(path, headers=HTML)
    assert focused(shown.text) == ["email"]


async def test_what_is_wrong_has_the_focus(kit):
    await person(kit)
    browser = await kit.client()
    answer = await times(browser, 1, "/auth/password", email=ADA, password="not this one")
    assert (answer.status_code, focused(answer.text)) == (401, ["password"])
    answer = await times(browser, 1, "/auth/password", email="nonsense", password=PASSWORD)
    assert (answer.status_code, focused(answer.text)) == (422, ["email"])
    answer = await times(browser, 1, "/signup", email="eve@example.com", name="Eve", password="short")
    assert (answer.status_code, focused(answer.text)) == (422, ["password"])
    assert 'value="eve@example.com"' in answer.text
    assert 'value="Eve"' in answer.text


@pytest.mark.parametrize("path", ["/auth/magic-link", "/signup", "/auth/reset"])
async def test_429_a_mail_too_many_keeps_the_address_and_says_how_long(kit, path):
    answer = await times(await kit.client(), MAILS.account + 1, path, email=ADA, password=PASSWORD)
    assert answer.status_code == 429
    assert 890 < int(answer.headers["retry-after"]) < 910
    assert "Try again in 15 minutes." in answer.text
    assert f'value="{ADA}"' in answer.text
    assert focused(answer.text) == ["email"]


async def test_429_a_guess_too_many_says_how_long(kit):
    browser = await kit.client(**{"accept-language": "de"})
    answer = await times(browser, AT_AN_ACCOUNT + 1, "/auth/password", email=ADA, password="not this one")
    assert answer.status_code == 429
    assert "in 15 Minuten" in answer.text
    assert focused(answer.text) == ["password"]


async def test_who_is_signed_in_is_not_told_to_sign_in(kit):
    browser = await kit.sign_in("ada")
    answer = await browser.get("/auth/verify?token=nonsense", headers=HTML)
    assert answer.status_code == 400
    assert "Sign in again" not in answer.text
    assert 'href="/dashboard"' in answer.text


async def test_signed_out_everywhere_is_said(kit):
    browser = await kit.sign_in("ada")
    answer = await browser.post("/settings/sessions/revoke-all")
    assert answer.headers["location"] == "/signin?done=signed-out"
    assert "You are signed out." in (await browser.get(answer.headers["location"], headers=HTML)).text


@pytest.mark.parametrize(
    ("path", "form", "back"),
    [
        ("/signup", {"email": "nonsense", "return_to": "/keys"}, "/signup?return_to=%2Fkeys"),
        ("/auth/password", {"email": "nonsense", "return_to": "/keys"}, "/signin?return_to=%2Fkeys"),
        ("/auth/reset", {"email": "nonsense", "return_to": "/keys"}, "/auth/reset?return_to=%2Fkeys"),
        ("/settings/profile", {"name": "a" * 300}, "/settings"),
        ("/settings/email", {"email": "nonsense"}, "/settings/email"),
    ],
)
async def test_another_language_after_an_error_leads_back_to_the_form(kit, path, form, back):
    browser = await (kit.sign_in("ada") if path.startswith("/settings") else kit.client())
    answer = await browser.post(path, data=form, headers=HTML)
    assert answer.status_code == 422
    preferences = answer.text.partition('action="/preferences"')[2]
    assert re.search(r'name="return_to" value="([^"]*)"', preferences)[1] == back
    assert (await browser.get(back, headers=HTML)).status_code == 200
