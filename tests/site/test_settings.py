"""`/settings`: the profile's name, and the sections of other rooms: e-mail, connected accounts, sessions."""

import re

import pytest

from tenantry.identity.devices import device_of
from tenantry.identity.pages.settings import SESSIONS_SHOWN_MAX


async def test_the_page_shows_profile_accounts_and_sessions(kit, browse, words):
    ada = await browse(kit, "ada", **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"})
    page = await ada.get("/settings")
    text = words(page)
    assert page.status_code == 200
    assert 'value="Ada Lovelace"' in page.text
    assert "ada@example.com Confirmed" in text
    assert "Plan Free" in text
    assert "Firefox on Linux This browser" in text
    assert "Sign out everywhere else" not in text  # there is nowhere else
    headings = re.findall(r'<section class="setting" id="([a-z-]+)">', page.text)
    shown = ["profile", "email", "password", "second-factor", "passkeys", "accounts", "sessions"]
    assert headings == [one for one in shown if one in headings]
    assert {"profile", "email", "accounts", "sessions"} <= set(headings)


async def test_a_session_tells_where_when_and_how(kit, browse, words):
    await browse(kit, "ada", **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"})
    await kit.move(minutes=7)
    here = await browse(kit, "ada", **{"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Safari/604"})
    text = words(await here.get("/settings"))
    assert "Safari on iPhone This browser Demo · 127.0.0.1" in text
    assert re.search(r"Firefox on Linux Demo · 127\.0\.0\.1 .*12:00.* UTC Ends in 1 hour 7 minutes ago Sign out", text)


async def test_only_the_newest_sessions_are_shown(kit, browse, words):
    one = [await browse(kit, "ada") for _ in range(SESSIONS_SHOWN_MAX + 1)][-1]
    page = await one.get("/settings")
    assert page.text.count('/revoke"') == SESSIONS_SHOWN_MAX
    assert "Only the newest are shown." in words(page)


async def test_what_is_not_connected_yet_is_offered(start, browse, words):
    kit = await start(google_client_id="x", google_client_secret="y" * 20)
    ada = await browse(kit, "ada")
    page = await ada.get("/settings")
    assert re.search(r"Demo ada@example\.com .*12:00.* UTC Disconnect Demo Connect Google", words(page))
    assert 'action="/settings/accounts/google/connect"' in page.text
    assert 'action="/settings/accounts/demo/connect"' not in page.text


async def test_a_new_name_is_kept_and_an_empty_one_removes_it(kit, browse):
    ada = await browse(kit, "ada")
    saved = await ada.post("/settings/profile", data={"name": "  Ada King "})
    assert (saved.status_code, saved.headers["location"]) == (303, "/settings?done=profile#profile")
    assert "Your name is saved." in (await ada.get(saved.headers["location"])).text
    assert (await me(ada))["name"] == "Ada King"
    assert (await ada.post("/settings/profile", data={"name": " "})).status_code == 303
    assert (await me(ada))["name"] is None


@pytest.mark.parametrize("name", ["x" * 256, "two\nlines"])
async def test_a_name_that_cannot_be_is_422_and_stays_in_its_field(kit, browse, name):
    ada = await browse(kit, "ada")
    page = await ada.post("/settings/profile", data={"name": name})
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert name.splitlines()[0] in page.text
    assert (await me(ada))["name"] == "Ada Lovelace"


async def test_another_session_is_signed_out(kit, browse, words):
    here, there = await browse(kit, "ada"), await browse(kit, "ada")
    page = await here.get("/settings")
    assert words(page).count("This browser") == 1
    mine = re.search(r"This browser.*?sessions/([0-9a-f-]{36})/revoke", page.text, re.DOTALL)[1]
    (other,) = set(re.findall(r"sessions/([0-9a-f-]{36})/revoke", page.text)) - {mine}
    assert (await here.post(f"/settings/sessions/{other}/revoke")).status_code == 303
    assert (await there.get("/dashboard")).status_code == 303
    assert (await here.get("/dashboard")).status_code == 200


async def test_all_other_sessions_are_signed_out(kit, browse):
    here, there, elsewhere = [await browse(kit, "ada") for _ in range(3)]
    assert (await here.post("/settings/sessions/revoke-others")).status_code == 303
    assert [(await one.get("/dashboard")).status_code for one in (here, there, elsewhere)] == [200, 303, 303]


async def test_everywhere_is_here_too(kit, browse):
    here, there, grace = await browse(kit, "ada"), await browse(kit, "ada"), await browse(kit, "grace")
    gone = await here.post("/settings/sessions/revoke-all")
    assert (gone.status_code, gone.headers["location"]) == (303, "/signin?done=signed-out")
    assert "session" not in here.cookies
    assert [(await one.get("/dashboard")).status_code for one in (here, there, grace)] == [303, 303, 200]


async def test_ending_the_own_session_is_signing_out(kit, browse):
    ada = await browse(kit, "ada")
    mine = re.search(r"sessions/([0-9a-f-]{36})/revoke", (await ada.get("/settings")).text)[1]
    gone = await ada.post(f"/settings/sessions/{mine}/revoke")
    assert (gone.status_code, gone.headers["location"]) == (303, "/signin?done=signed-out")
    assert "session" not in ada.cookies


async def test_somebody_elses_session_is_404(kit, browse):
    ada, grace = await browse(kit, "ada"), await browse(kit, "grace")
    hers = re.search(r"sessions/([0-9a-f-]{36})/revoke", (await grace.get("/settings")).text)[1]
    assert (await ada.post(f"/settings/sessions/{hers}/revoke")).status_code == 404
    assert (await grace.get("/dashboard")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/settings/profile",
        "/settings/email",
        "/settings/email/cancel",
        "/settings/sessions/revoke-others",
        "/settings/sessions/revoke-all",
        "/dashboard/prices",
    ],
)
async def test_another_site_cannot_send_our_forms_403(kit, browse, path):
    ada = await browse(kit, "ada")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await ada.post(path, data={"name": "Eve"}, headers=headers)).status_code == 403
    assert (await me(ada))["name"] == "Ada Lovelace"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (None, ("", "")),
        ("curl/8.5", ("curl", "")),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/150.0 Safari/537 Edg/150.0", ("Edge", "Windows")),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19 Safari/604", ("Safari", "iPhone")),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/150.0 Mobile Safari/537", ("Chrome", "Android")),
    ],
)
def test_a_browser_is_named_in_three_words(user_agent, device):
    assert device_of(user_agent) == device


async def me(client):
    return (await client.get("/v1/me", headers={"Accept": "application/json"})).json()
