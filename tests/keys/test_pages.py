"""`/keys`, as a browser without JavaScript reads it."""

import re

import pytest

from tenantry.keys import CallLog
from tenantry.keys.secrets import FORM, is_secret

HTML = {"accept": "text/html"}


@pytest.fixture
async def ada(ada):
    ada.headers.update(HTML)
    return ada


async def make(client, **given):
    return await client.post("/keys", data={"label": "robot", "lifetime": "0", **given})


async def test_a_secret_is_shown_once_and_works(ada, program):
    assert "No keys yet" in (await ada.get("/keys")).text
    made = await make(ada, lifetime="30", scopes="work:write")
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    [secret] = {found for found in re.findall(FORM, made.text) if is_secret(found)}
    answer = await program.post("/v1/work", headers={"X-API-Key": secret})
    assert answer.json() == {"done": True}
    shown = (await ada.get("/keys")).text
    assert not re.search(FORM, shown)
    wanted = ("robot", "work:write", f"{secret[:14]}…{secret[-4:]}", "Active", "Ends ")
    assert [text for text in wanted if text not in shown] == []


async def test_rotate_and_revoke(ada, program):
    first = re.search(FORM, (await make(ada)).text)[0]
    [key] = (await ada.get("/v1/keys")).json()["items"]
    page = (await ada.post(f"/keys/{key['id']}/rotate")).text
    second = re.search(FORM, page)[0]
    assert "The old key works on until" in page
    assert second != first
    assert "Replaced" in (await ada.get("/keys")).text
    again = await ada.post(f"/keys/{key['id']}/rotate")
    assert again.status_code == 409
    assert "was rotated already" in again.text
    gone = await ada.post(f"/keys/{key['id']}/revoke")
    assert (gone.status_code, gone.headers["location"]) == (303, "/keys?done=revoked")
    assert "The key was revoked." in (await ada.get("/keys?done=revoked")).text
    codes = [(await program.get("/v1/work", headers={"X-API-Key": one})).status_code for one in (first, second)]
    assert codes == [401, 200]


async def test_what_was_entered_stays_when_it_is_refused(ada):
    refused = await make(ada, label="  ", lifetime="90")
    assert refused.status_code == 422
    assert "Give it a name" in refused.text
    assert '<option value="90" selected>' in refused.text
    unknown = await make(ada, scopes="fly")
    assert unknown.status_code == 422
    assert "work:write" in unknown.text
    for _ in range(2):
        assert (await make(ada)).status_code == 200
    full = await make(ada, label="one more")
    assert full.status_code == 409
    assert 'value="one more"' in full.text
    assert "Revoke one that you do not need" in full.text


async def test_another_name(ada):
    await make(ada)
    [key] = (await ada.get("/v1/keys")).json()["items"]
    assert f'action="/keys/{key["id"]}/rename"' in (await ada.get(f"/keys/{key['id']}")).text
    refused = await ada.post(f"/keys/{key['id']}/rename", data={"label": " "})
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    done = await ada.post(f"/keys/{key['id']}/rename", data={"label": "batch"})
    assert (done.status_code, done.headers["location"]) == (303, "/keys?done=renamed")
    assert "batch" in (await ada.get("/keys?done=renamed")).text


async def test_another_persons_key_is_not_there(kit, ada):
    await make(ada)
    [key] = (await ada.get("/v1/keys")).json()["items"]
    grace = await kit.sign_in("grace")
    for what in ("rotate", "revoke", "rename"):
        answer = await grace.post(f"/keys/{key['id']}/{what}", data={"label": "mine"}, headers=HTML)
        assert answer.status_code == 404, what
    assert "robot" not in (await grace.get("/keys", headers=HTML)).text


async def test_strangers_and_keys_have_no_page(kit, ada, program):
    secret = re.search(FORM, (await make(ada)).text)[0]
    away = await program.get("/keys", headers=HTML)
    assert (away.status_code, away.headers["location"]) == (303, "/signin?return_to=/keys")
    refused = await program.get("/keys", headers={**HTML, "X-API-Key": secret})
    assert refused.status_code == 403


async def test_what_a_key_was_used_for_is_shown_filtered_and_paged(kit, ada, program):
    made = re.search(FORM, (await make(ada, scopes="work:write")).text)[0]
    [key] = (await ada.get("/v1/keys")).json()["items"]
    at = f"/keys/{key['id']}"
    assert "No calls in this time" in (await ada.get(at)).text
    for _ in range(3):
        assert (await program.get("/v1/work", headers={"X-API-Key": made})).status_code == 200
    assert (await program.get("/v1/work?x=1", headers={"X-API-Key": made})).status_code == 200
    await kit.runtime.port(CallLog).flush()
    shown = (await ada.get(at)).text
    assert "GET /v1/work" in shown
    assert shown.count(">200<") == 4
    assert f"/v1/keys/{key['id']}/calls.csv?since=2026-" in shown
    assert "No calls in this time" in (await ada.get(f"{at}?status=5xx")).text
    assert (await ada.get(f"{at}?before=nonsense")).status_code == 422
    assert (await ada.get(f"{at}?days=x")).status_code == 422
    grace = await kit.sign_in("grace")
    assert (await grace.get(at, headers=HTML)).status_code == 404
