"""Owners are told that a trial ends, and that it has ended: once, whoever finds it and however often."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tenantry.identity.models import Users
from tenantry.kernel.database import statement
from tenantry.kernel.mail.models import Mails
from tenantry.trials import actions, queries
from tenantry.trials.letters import ended_letter, ending_letter
from tenantry.trials.notices import expire, remind, remind_owners
from tenantry.trials.queries import BATCH
from tenantry.web.translations import load_translators
from trials.owners import owner

_subjects = statement(select(Mails.subject).order_by(Mails.id))
_unprove = statement(update(Users).values(email_verified_at=None))
DAY = timedelta(days=1)
ENDS, OVER = "Your trial Acme ends on Mar 28, 2026, 12:00 PM UTC", "Your trial Acme is over"


@pytest.fixture
async def ada(kit):
    return await owner(kit)


@pytest.fixture
async def trial(ada):
    return await actions.start(ada, "Acme")


async def mails(kit):
    await kit.run_jobs()
    return await subjects(kit)


async def subjects(kit):
    async with kit.system.service(writes=False) as ctx:
        return [one.replace("\u202f", " ") for one in await ctx.db.rows(_subjects)]


async def passes(kit, by):
    """Time passes, and the periodic jobs run."""
    await kit.move(by)
    await work(kit)
    return await mails(kit)


async def work(kit):
    await remind_owners(kit.system, {})
    await kit.runtime.jobs["trials.expire"].run(kit.system, {})


async def test_each_reminder_once_and_the_end_once(kit, trial):
    assert await passes(kit, 10 * DAY) == []
    assert await passes(kit, DAY - timedelta(seconds=1)) == []
    assert await passes(kit, timedelta(seconds=1)) == [ENDS]
    assert await passes(kit, DAY) == [ENDS]
    assert await passes(kit, DAY) == [ENDS, ENDS]
    assert await passes(kit, DAY / 2) == [ENDS, ENDS]
    assert await passes(kit, DAY / 2) == [ENDS, ENDS, OVER]
    assert await passes(kit, 30 * DAY) == [ENDS, ENDS, OVER]


async def test_the_jobs_are_planned(kit, trial):
    assert {"trials.expire", "trials.remind"} <= kit.runtime.jobs.keys()
    assert all(kit.runtime.jobs[name].every == timedelta(minutes=1) for name in ("trials.expire", "trials.remind"))


async def test_of_two_reminders_that_came_due_together_the_sooner_is_told(kit, trial):
    assert await passes(kit, 13.5 * DAY) == [ENDS]


async def test_an_extended_trial_is_reminded_anew(kit, ada, trial):
    await passes(kit, 13 * DAY)
    await actions.extend(ada, trial.workspace.id, days=7)
    later = ENDS.replace("Mar 28", "Apr 4")
    assert await passes(kit, DAY) == [ENDS]
    assert await passes(kit, 4 * DAY) == [ENDS, later]
    assert await passes(kit, 2 * DAY) == [ENDS, later, later]


@pytest.mark.parametrize("end", [actions.cancel, actions.convert])
async def test_who_ended_it_is_told_nothing_more(kit, ada, trial, end):
    await end(ada, trial.workspace.id)
    assert await passes(kit, 13 * DAY) == []
    assert await passes(kit, 13 * DAY) == []


async def test_two_processes_tell_it_once(kit, trial):
    await kit.move(13 * DAY)
    done = await asyncio.gather(*(remind(kit.system, trial.workspace, DAY) for _ in range(5)))
    assert sorted(done) == [False] * 4 + [True]
    await kit.move(DAY)
    await asyncio.gather(*(expire(kit.system, trial.workspace.id) for _ in range(5)))
    assert await mails(kit) == [ENDS, OVER]


async def test_a_reminder_that_was_overtaken_by_an_extension_is_not_told(kit, ada, trial):
    await kit.move(13 * DAY)
    async with kit.system.service(writes=False) as ctx:
        (found,) = await queries.untold(ctx.db, DAY)
    await actions.extend(ada, trial.workspace.id)
    assert not await remind(kit.system, found, DAY)
    assert await mails(kit) == []


async def test_an_address_that_nobody_confirmed_is_not_written_to(kit, trial):
    async with kit.system.service() as ctx:
        await ctx.db.run(_unprove)
    assert await passes(kit, 13 * DAY) == []
    assert await passes(kit, DAY) == []
    async with kit.system.service(writes=False) as ctx:
        assert (await queries.untold(ctx.db, DAY), await queries.over(ctx.db)) == ([], [])


async def test_more_than_a_batch_is_done_in_one_go(kit):
    people = [await owner(kit) for _ in range(BATCH // 3 + 2)]
    for one in people:
        for _ in range(3):
            await actions.start(one, "Acme")
    await kit.move(13 * DAY)
    await remind_owners(kit.system, {})
    assert len(await subjects(kit)) == 3 * len(people) > BATCH
    await kit.move(DAY)
    await work(kit)
    assert (await subjects(kit)).count(OVER) == 3 * len(people)


async def test_the_letters_say_what_to_do_and_are_there_in_german(kit, trial):
    german = load_translators()["de"]
    for letter in (ending_letter, ended_letter):
        english = letter(kit.system, load_translators()["en"], trial.workspace)
        assert english.action == ("Look at your trials", "http://127.0.0.1:8000/trials")
        assert "http://127.0.0.1:8000/pricing" in english.closing[0]
        assert letter(kit.system, german, trial.workspace).subject.startswith(("Your trial Acme", "Ihr Test", "Ihre"))
