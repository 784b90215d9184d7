"""What arrives at /webhooks: verified, stored once, and nothing else before that."""

import asyncio
import json
from dataclasses import replace

import pytest

from billing.truth import SECRET, Event, subscription_of
from tenantry.billing import errors, operating
from tenantry.billing.inbox import receive
from tenantry.kernel.context import system_context
from tenantry.testing import AppKit

PATH = "/webhooks/fake"


async def statuses(kit: AppKit) -> dict[str, int]:
    counts, _ = await operating.events(kit.system)
    return {one.status: one.count for one in counts}


async def test_an_event_is_stored_before_anything_is_done(paying):
    price = paying.truth.sell("pro")
    await paying.deliver(paying.truth.put(subscription_of(None, price)))
    assert await statuses(paying.kit) == {"received": 1}
    assert paying.truth.reads == []


async def test_a_repeated_event_is_answered_alike_and_stored_once(paying):
    event = paying.truth.put(subscription_of(None, paying.truth.sell("pro")))
    await paying.deliver(event, event, event)
    assert await statuses(paying.kit) == {"received": 1}
    await paying.work()
    await paying.deliver(event)
    assert await statuses(paying.kit) == {"done": 1}


async def test_fifty_deliveries_of_one_event_at_once_are_one_row(paying):
    event = paying.truth.put(subscription_of(None, paying.truth.sell("pro")))
    clients = [await paying.kit.client() for _ in range(10)]
    answers = await asyncio.gather(
        *(clients[number % 10].post(PATH, content=event.body, headers=event.headers) for number in range(50))
    )
    assert {one.status_code for one in answers} <= {204, 503}
    assert sum(one.status_code == 204 for one in answers) >= 1
    assert await statuses(paying.kit) == {"received": 1}


async def test_what_is_not_ours_is_kept_and_left_alone(paying):
    body = json.dumps(
        {"id": "evt_x", "kind": "dispute", "at": "2026-03-14T12:00:00+00:00", "object": {"external_id": "dp_1"}}
    ).encode()
    await paying.deliver(paying.truth.signed(body))
    assert await statuses(paying.kit) == {"ignored": 1}
    assert await paying.work() == 0


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (Event(b'{"id": 1}', {}), 401, "billing.signature_refused"),
        (Event(b'{"id": 1}', {"x-fake-signature": "0" * 64}), 401, "billing.signature_refused"),
        (Event(b'{"id": 1}', {"x-fake-signature": "ü".encode("latin-1").decode("latin-1")}), 401, None),
        (Event(b"", {}), 401, "billing.signature_refused"),
    ],
)
async def test_401_what_is_not_signed_leaves_nothing(paying, event, status, code):
    client = await paying.kit.client()
    headers = [(name.encode(), value.encode("latin-1")) for name, value in event.headers.items()]
    answer = await client.post(PATH, content=event.body, headers=headers)
    assert answer.status_code == status, answer.text
    assert code in {None, answer.json()["code"]}
    assert SECRET.decode() not in answer.text
    assert await statuses(paying.kit) == {}


@pytest.mark.parametrize("body", [b"not json", b"\xff\xfe\x00", b"[]", b'{"id": "evt_1"}', b"{" * 2000, b"null"])
async def test_400_signed_nonsense_is_no_event(paying, body):
    event = paying.truth.signed(body)
    client = await paying.kit.client()
    answer = await client.post(PATH, content=event.body, headers=event.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "billing.event_malformed")
    assert await statuses(paying.kit) == {}


async def test_413_a_body_without_end_is_not_read_to_its_end(paying):
    event = paying.truth.signed(b"a" * (2 * 1024 * 1024))
    client = await paying.kit.client()
    assert (await client.post(PATH, content=event.body, headers=event.headers)).status_code == 413


async def test_404_a_provider_without_a_secret_takes_nothing(paying):
    client = await paying.kit.client()
    answer = await client.post("/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1,v1=aa"})
    assert (answer.status_code, answer.json()["code"]) == (404, "billing.secret_unset")


async def test_422_a_provider_nobody_knows(paying):
    client = await paying.kit.client()
    assert (await client.post("/webhooks/paypal", content=b"{}")).status_code == 422


async def test_an_event_needs_no_origin_and_takes_no_session(paying):
    """A provider is no browser: it sends neither Origin nor a cookie, and is let in by its signature alone."""
    event = paying.truth.put(subscription_of(None, paying.truth.sell("pro")))
    client = await paying.kit.client()
    del client.headers["origin"]
    headers = {**event.headers, "content-type": "application/json"}
    assert (await client.post(PATH, content=event.body, headers=headers)).status_code == 204


async def test_403_the_test_mode_is_refused_in_production(paying):
    happened = {"id": "evt_t", "kind": "customer", "at": "2026-03-14T12:00:00+00:00", "live": False}
    event = paying.truth.signed(json.dumps({**happened, "object": {"external_id": "cus_1"}}).encode())
    settings = paying.kit.runtime.settings.model_copy(update={"environment": "production"})
    assert settings.is_production
    there = system_context(replace(paying.kit.runtime, settings=settings))
    with pytest.raises(errors.TestModeRefused):
        await receive(there, "fake", event.body, event.headers)
    assert await statuses(paying.kit) == {}
    await paying.deliver(event)
    assert await statuses(paying.kit) == {"received": 1}
