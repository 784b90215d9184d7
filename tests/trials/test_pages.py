"""`/trials`, as a browser without JavaScript reads it."""

import re
from datetime import timedelta

import pytest

from tenantry.keys.secrets import FORM

HTML = {"accept": "text/html"}


@pytest.fixture
async def ada(kit):
    client = await kit.sign_in("ada")
    client.headers.update(HTML)
    return client


async def start(client, name="Acme Zürich", **given):
    begun = await client.post("/trials", data={"name": name, **given})
    assert begun.status_code == 303, begun.text
    return begun.headers["location"].partition("?")[0]


async def test_a_trial_from_its_start_to_its_end(kit, ada):
    assert "No trials yet" in (await ada.get("/trials")).text
    at = await start(ada)
    shown = (await ada.get(f"{at}?done=started")).text
    assert all(text in shown for text in ("Acme Zürich", "acme-zurich", "The trial has begun", "Active"))
    made = await ada.post(f"{at}/keys", data={"label": "first"})
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    secret = re.search(FORM, made.text)[0]
    assert "_trial_" in secret
    shown = (await ada.get(at)).text
    assert "first" in shown
    assert secret not in shown
    ended = await ada.post(f"{at}/cancel")
    assert ended.headers["location"] == f"{at}?done=cancelled"
    shown = (await ada.get(at)).text
    assert "Cancelled" in shown
    assert "Make the key" not in shown
    again = await ada.post(f"{at}/extend")
    assert again.status_code == 409
    assert 'role="alert"' in again.text
    assert "Acme Zürich" in (await ada.get("/trials")).text


async def test_one_that_is_over_says_so_before_any_job_has_run(kit, ada):
    at = await start(ada)
    await kit.set_time(kit.clock.now() + timedelta(days=15))
    ada = await kit.sign_in("ada")
    shown = (await ada.get(at, headers=HTML)).text
    assert "Over" in shown
    assert "Make the key" not in shown


async def test_what_was_entered_stays_when_it_is_refused(ada):
    for name, said in (("  ", "Use at least one character."), ("x" * 101, "Use at most 100 characters.")):
        refused = await ada.post("/trials", data={"name": name})
        assert refused.status_code == 422
        assert said in refused.text
    at = await start(ada)
    refused = await ada.post(f"{at}/keys", data={"label": ""})
    assert refused.status_code == 422
    assert "Give it a name" in refused.text


async def test_another_persons_trial_is_not_there(kit, ada):
    at = await start(ada)
    grace = await kit.sign_in("grace")
    assert (await grace.get(at, headers=HTML)).status_code == 404
    for what in ("extend", "cancel", "convert", "keys"):
        assert (await grace.post(f"{at}/{what}", data={"label": "x"}, headers=HTML)).status_code == 404, what
    assert "acme-zurich" not in (await grace.get("/trials", headers=HTML)).text
