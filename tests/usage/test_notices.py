"""Who has used much of a limit, or all of it, is told by mail: once for a window and a percent."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import select, update

from tenantry import UNLIMITED, Google, Meter, Plan, Product
from tenantry.holders import by_user, set_plan
from tenantry.identity.models import Users
from tenantry.kernel.context import system_context
from tenantry.kernel.database import param, refuse_while_open, statement
from tenantry.kernel.mail.models import Mails
from tenantry.usage import Leases, decide
from tenantry.usage.letters import Reached, reached_letter
from tenantry.usage.models import UsageCounters, UsageNotices
from tenantry.usage.notices import Notices, write_notice
from tenantry.usage.queries.exchange import Exchanged
from tenantry.web import Letters
from tenantry.web.translations import load_translators

requests, tokens = Meter("requests", per="day"), Meter("tokens", per="month")
quiet = Meter("quiet_calls", per="day", notices=())
early = Meter("early", per="day", notices=(50,))
PRODUCT = Product(
    "Acme",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={requests: 10, tokens: 1000, quiet: 2, early: 4}),
        Plan("pro", price=900, limits={requests: 20, tokens: UNLIMITED, quiet: 2, early: 4}),
    ],
)
DAY = datetime(2026, 3, 14, tzinfo=UTC)
_told = statement(
    select(UsageNotices.percent)
    .where(UsageNotices.holder_id == param("holder"), UsageNotices.window_start == param("window"))
    .order_by(UsageNotices.percent)
)
_subjects = statement(select(Mails.subject).order_by(Mails.id))
_overrun = statement(update(UsageCounters).values(overrun=param("units")))
_unprove = statement(update(Users).values(email_verified_at=None))


@pytest.fixture
async def kit(start):
    return await start(PRODUCT)


@pytest.fixture
async def ada(kit):
    return await holder_of(kit, await kit.sign_in("ada"))


async def test_the_80th_and_the_100th_percent_are_told_once_each(kit, ada):
    for number, subjects in ((7, []), (1, [EIGHTY]), (1, [EIGHTY]), (1, [EIGHTY, ALL])):
        await call(kit, ada, times=number)
        assert await mails(kit) == subjects
    for _ in range(3):
        assert not (await decide(kit.system, ada, requests)).allowed
    assert await mails(kit) == [EIGHTY, ALL]
    assert await percents(kit, ada) == [80, 100]


EIGHTY, ALL = "80% of your 10 requests are used", "Your limit is reached: 10 of 10 requests"


async def test_the_mail_says_when_the_count_starts_again(kit, ada):
    await call(kit, ada, times=8)
    await mails(kit)
    await kit.run_jobs()
    browser = await kit.client(Accept="text/html")
    listed = (await browser.get("/mailbox")).text
    assert "ada@example.com" in listed
    path = listed.partition('href="/mailbox/')[2].partition('"')[0]
    text = " ".join((await browser.get(f"/mailbox/{path}")).text.replace("\u202f", " ").split())
    assert "Today you have used 8 of 10 requests on Acme." in text
    assert "The count starts again on Mar 15, 2026, 12:00 AM UTC." in text
    assert "http://127.0.0.1:8000/usage" in text
    assert "http://127.0.0.1:8000/pricing" in text


async def test_straight_to_the_limit_only_the_limit_is_told(kit, ada):
    await call(kit, ada, cost=10)
    assert await mails(kit) == [ALL]
    assert await percents(kit, ada) == [80, 100]


async def test_a_call_that_is_refused_tells_nothing(kit, ada):
    await call(kit, ada, times=7)
    assert not (await decide(kit.system, ada, requests, 4)).allowed
    assert await mails(kit) == []


async def test_what_was_used_beyond_the_limit_counts_too(kit, ada):
    await call(kit, ada, times=6)
    async with kit.system.service() as ctx:
        await ctx.db.run(_overrun, units=2)
    await call(kit, ada)
    assert await mails(kit) == [EIGHTY]


async def test_a_new_window_is_told_anew(kit, ada):
    await call(kit, ada, times=8)
    assert await mails(kit) == [EIGHTY]
    await kit.set_time(DAY + timedelta(days=1, hours=1))
    # What the process holds of yesterday goes first.
    await kit.runtime.port(Leases).settle()
    await call(kit, ada, times=7)
    assert await mails(kit) == [EIGHTY]
    await call(kit, ada)
    assert await mails(kit) == [EIGHTY, EIGHTY]


async def test_a_window_that_is_over_is_told_to_nobody(kit, ada):
    await call(kit, ada, times=7)
    await kit.set_time(DAY + timedelta(days=1))
    reached = Reached(requests, 80, 8, 10, DAY + timedelta(days=1))
    assert not await write_notice(kit.system, ada, reached, window_start=DAY)
    assert await mails(kit) == []


async def test_without_a_limit_or_without_percents_nobody_is_told(kit, ada):
    await to_plan(kit, ada, "pro")
    assert (await decide(kit.system, ada, tokens, 5000)).allowed
    for _ in range(3):
        await decide(kit.system, ada, quiet)
    assert await mails(kit) == []


async def test_a_meter_has_percents_of_its_own(kit, ada):
    for _ in range(4):
        await decide(kit.system, ada, early)
    assert await mails(kit) == ["50% of your 4 early are used"]


async def test_a_larger_plan_is_not_told_of_the_same_percent_again(kit, ada):
    await call(kit, ada, times=8)
    await to_plan(kit, ada, "pro")
    await call(kit, ada, times=11)
    assert await mails(kit) == [EIGHTY]
    await call(kit, ada)
    assert await mails(kit) == [EIGHTY, "Your limit is reached: 20 of 20 requests"]


async def test_a_smaller_plan_that_is_used_up_at_once_is_told(kit, ada):
    await to_plan(kit, ada, "pro")
    await call(kit, ada, times=12)
    await to_plan(kit, ada, "free")
    assert not (await decide(kit.system, ada, requests)).allowed
    assert await mails(kit) == [ALL]


async def test_of_two_processes_that_see_it_one_writes(kit, ada, start):
    other = await start(PRODUCT)
    await call(kit, ada, times=7)
    await call(other, ada)
    await call(kit, ada)
    await call(other, ada)
    assert not (await decide(kit.system, ada, requests)).allowed
    await other.runtime.port(Leases).notices.written()
    assert await mails(kit) == [EIGHTY, ALL]


async def test_of_many_at_the_same_moment_one_is_new(kit, ada):
    await call(kit, ada, times=7)
    reached = Reached(requests, 80, 8, 10, DAY + timedelta(days=1))
    tries = [write_notice(kit.system, ada, reached, window_start=DAY) for _ in range(8)]
    assert sorted(await asyncio.gather(*tries)) == [False] * 7 + [True]
    assert await mails(kit) == [EIGHTY]


class ClosedUnits(Letters):
    """Draws letters only while no unit is open, and counts them."""

    drawn = 0

    def render(self, *given):
        refuse_while_open("a letter was drawn")
        self.drawn += 1
        return super().render(*given)


async def test_the_mail_is_drawn_while_no_unit_is_open_and_only_where_it_is_new(start):
    letters = ClosedUnits("Acme", "http://127.0.0.1:8000")
    kit = await start(PRODUCT, ports={Letters: letters})
    ada = await holder_of(kit, await kit.sign_in("ada"))
    await call(kit, ada, times=7)
    reached = Reached(requests, 80, 8, 10, DAY + timedelta(days=1))
    for is_new in (True, False):
        assert await write_notice(kit.system, ada, reached, window_start=DAY) is is_new
    assert letters.drawn == 1
    assert await mails(kit) == [EIGHTY]


async def test_what_was_never_told_is_seen_by_the_next_exchange_of_anybody(start):
    untold = Meter("requests", notices=())
    silent = await start(Product("Acme", sign_in=[Google()], plans=[Plan("free", price=0, limits={untold: 10})]))
    ada = await holder_of(silent, await silent.sign_in("ada"))
    for _ in range(9):
        await decide(silent.system, ada, untold)
    assert await mails(silent) == []
    kit = await start(PRODUCT)
    await call(kit, ada)
    assert await mails(kit) == [ALL]


async def test_a_process_asks_the_database_once(kit, ada, statements):
    await call(kit, ada, times=7)
    await kit.runtime.port(Leases).settle()
    row = Exchanged(
        holder_id=ada,
        meter="requests",
        plan="free",
        plan_limit=10,
        quota=10,
        used=8,
        leased=0,
        granted=1,
        window_start=DAY,
        window_end=DAY + timedelta(days=1),
        at=kit.clock.now(),
    )
    ours, another = Notices(), Notices()
    for notices, used, asked in ((ours, 7, 0), (ours, 8, 4), (ours, 9, 0), (another, 9, 2), (another, 9, 0)):
        with statements(kit) as count:
            notices.look(system_context(kit.app.state.runtime), requests, msgspec.structs.replace(row, used=used))
            await notices.written()
            # Who is to be told, the notice; and when it was new the mail and the job that delivers it.
            assert count() == asked
    assert await mails(kit) == [EIGHTY]


async def test_an_address_that_nobody_confirmed_is_not_written_to(kit, ada):
    async with kit.system.service() as ctx:
        await ctx.db.run(_unprove)
    await call(kit, ada, times=8)
    assert await mails(kit) == []
    assert await percents(kit, ada) == [80]


async def test_what_is_due_is_written_before_the_application_stops(kit, ada):
    await call(kit, ada, times=7)
    leases = kit.runtime.port(Leases)
    assert (await decide(kit.system, ada, requests)).allowed
    await leases.aclose()
    assert await subjects(kit) == [EIGHTY]


def test_memory_is_bounded():
    notices = Notices(remembered_max=3)
    for number in range(10):
        notices._remember((UUID(int=number), "requests"), DAY, 80)
    assert [key[0].int for key in notices._told] == [7, 8, 9]


@pytest.mark.parametrize("meter", [requests, tokens], ids=["day", "month"])
@pytest.mark.parametrize("percent", [80, 100])
def test_every_letter_is_there_in_german(kit, meter, percent):
    reached = Reached(meter, percent, 10 * percent, 1000, DAY + timedelta(days=1))
    german = reached_letter(kit.system, load_translators()["de"], reached)
    said = " ".join(german.paragraphs)
    assert ("Heute" in said, "Monat" in said) == (meter is requests, meter is tokens)
    assert f"{10 * percent:,}".replace(",", ".") in said
    assert "15.03.2026, 00:00 UTC" in said
    assert german.action[1] == "http://127.0.0.1:8000/usage"


async def holder_of(kit, client):
    user = UUID((await client.get("/v1/me")).json()["id"])
    async with kit.system.service(writes=False) as ctx:
        return (await by_user(ctx.db, user)).id


async def call(kit, holder, *, times=1, cost=1):
    for _ in range(times):
        assert (await decide(kit.system, holder, requests, cost)).allowed


async def mails(kit):
    """The subjects of all mails, once this process has written what it saw."""
    await kit.runtime.port(Leases).settle()
    await kit.runtime.port(Leases).notices.written()
    return await subjects(kit)


async def subjects(kit):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_subjects)


async def percents(kit, holder):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.rows(_told, holder=holder, window=DAY)


async def to_plan(kit, holder, plan):
    async with kit.system.service() as ctx:
        await set_plan(ctx, holder, plan=plan, source="admin", reason="a test")
