"""Buyers are told by mail what became of their subscription: once, and only at an address that is theirs."""

from datetime import timedelta

import pytest

from billing.flows.shop import subjects, subscribed, told, unprove
from tenantry.billing.letters import cancelled_letter, ended_letter, past_due_letter, trial_letter
from tenantry.billing.queries.telling import Told
from tenantry.web.translations import load_translators

DAY = timedelta(days=1)


@pytest.fixture
async def bought(kit, till, ada):
    return await subscribed(kit, till, ada)


async def moves(kit, till, external_id, **changes):
    till.move(external_id, **changes)
    for _ in range(2):
        await told(kit, till, external_id)
    return await subjects(kit)


async def remind(kit):
    await kit.runtime.jobs["billing.remind"].run(kit.system, {})
    return await subjects(kit)


async def test_a_failed_payment_is_told_once_a_period(kit, till, bought):
    first = kit.clock.now()
    failed = {"status": "past_due", "trial_ends_at": None, "past_due_since": first}
    assert await moves(kit, till, bought, **failed) == ["Your payment for Pro failed"]
    await kit.move(DAY)
    assert len(await moves(kit, till, bought, past_due_since=first + DAY)) == 1
    assert len(await moves(kit, till, bought, status="active", past_due_since=None)) == 1
    renewed = {"period_start": first + 30 * DAY, "period_end": first + 60 * DAY}
    assert len(await moves(kit, till, bought, **failed | renewed)) == 2


async def test_a_trials_end_is_told_three_days_before_and_the_day_before(kit, till, bought):
    assert await remind(kit) == []
    await kit.move(11 * DAY)
    ends = "Your trial of Pro ends on Mar 28, 2026, 12:00 PM UTC"
    assert await remind(kit) == [ends]
    assert await remind(kit) == [ends]
    await kit.move(2 * DAY)
    assert await remind(kit) == [ends] * 2
    await kit.move(DAY)
    assert len(await remind(kit)) == 2


async def test_reminders_that_fall_due_together_are_one_mail(kit, till, bought):
    await kit.move(13.5 * DAY)
    assert len(await remind(kit)) == 1


async def test_a_trial_that_was_cancelled_is_not_reminded_of(kit, till, bought):
    await moves(kit, till, bought, cancel_at=till.subscriptions[bought].trial_ends_at)
    await kit.move(12 * DAY)
    assert [one for one in await remind(kit) if "trial" in one] == []


async def test_a_cancellation_is_told_and_then_the_end(kit, till, bought):
    ends_at = kit.clock.now() + 20 * DAY
    scheduled = "Your subscription to Pro ends on Apr 3, 2026, 12:00 PM UTC"
    active = {"status": "active", "trial_ends_at": None, "period_end": ends_at}
    assert await moves(kit, till, bought, cancel_at=ends_at, **active) == [scheduled]
    assert await moves(kit, till, bought, cancel_at=None) == [scheduled]
    assert await moves(kit, till, bought, cancel_at=ends_at) == [scheduled]
    await kit.move(20 * DAY)
    over = "Your subscription to Pro has ended"
    assert await moves(kit, till, bought, status="canceled", ended_at=ends_at) == [scheduled, over]


async def test_one_that_was_never_paid_for_ends_without_a_word(kit, till, ada):
    opened = await ada.post("/v1/checkout", json={"plan": "team"})
    bought = till.pay(opened.json()["url"], status="incomplete")
    assert await moves(kit, till, bought) == []
    assert await moves(kit, till, bought, status="expired", ended_at=kit.clock.now()) == []


async def test_nobody_is_written_to_at_an_address_that_may_be_a_strangers(kit, till, bought):
    await unprove(kit)
    failed = {"status": "past_due", "trial_ends_at": None, "past_due_since": kit.clock.now()}
    assert await moves(kit, till, bought, **failed) == []


async def test_every_letter_can_be_written_in_every_language(kit):
    now = kit.clock.now()
    known = Told("pro", "Product", 900, "USD", "month", 1, 1, None, True, "free", "ada@example.com", now)
    odd = Told(None, None, None, None, None, None, 1, None, True, "gone", "ada@example.com", now)
    for words in load_translators().values():
        for one in (known, odd):
            for letter in (
                past_due_letter(kit.system, words, one, now),
                past_due_letter(kit.system, words, one, None),
                trial_letter(kit.system, words, one, now),
                cancelled_letter(kit.system, words, one, now),
                ended_letter(kit.system, words, one),
            ):
                said = [letter.subject, *letter.paragraphs, *letter.closing]
                assert all(said)
                assert "%(" not in " ".join(said)
