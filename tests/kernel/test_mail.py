"""Mails: rows of the caller's transaction, delivered by a job, kept where no server is configured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID

import pytest
from aiosmtplib import SMTPException
from sqlalchemy import insert, update

from tenantry.kernel import Context, Settings, new_id
from tenantry.kernel.context import Actor, Origin
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import CheckViolation, UnitStillOpen
from tenantry.kernel.jobs import dead, plan_periodic
from tenantry.kernel.mail import DELIVER, Mail, forget_sent, mail_of, newest_mails, send_mail
from tenantry.kernel.mail.delivery import compose, smtp_send
from tenantry.kernel.mail.models import Mails
from tenantry.kernel.mail.queries import by_id, latest
from tenantry.testing import AppKit

ADA = UUID(int=1)
_move = statement(update(Mails).where(Mails.id == param("mail")).values(text=param("sealed")))


@dataclass
class Sink:
    """A mail server of a few lines: it takes every mail, or refuses the next ones with a code."""

    port: int = 0
    refusing: list[str] = field(default_factory=list)
    mails: list[tuple[list[str], Any]] = field(default_factory=list)
    talks: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        self.talks += 1
        recipients: list[str] = []
        await say("220 sink")
        while line := (await reader.readline()).decode().strip():
            match line.split(" ")[0].upper():
                case "RCPT":
                    recipients.append(line.partition(":")[2].strip("<> "))
                    await say(self.refusing.pop(0) if self.refusing else "250 ok")
                case "DATA":
                    await say("354 go on")
                    body = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append((recipients, message_from_bytes(body[:-5], policy=policy.default)))
                    await say("250 taken")
                case "QUIT":
                    await say("221 bye")
                    break
                case _:
                    await say("250 sink")
        writer.close()
        await writer.wait_closed()
        self.talks -= 1


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    sink = Sink()
    server = await asyncio.start_server(sink.talk, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    async with server:
        yield sink
        # Who was refused may hang up without a word; the sink has to notice before its loop ends.
        async with asyncio.timeout(10):
            while sink.talks:
                await asyncio.sleep(0.01)


def mail(**changes: Any) -> Mail:
    values = {"recipient": "ada@example.com", "subject": "Grüße", "text": "Zeile\n", "html": None, "status": "queued"}
    return Mail(new_id(), **{**values, **changes})


async def stored(kit: AppKit, mail_id: UUID) -> Mail:
    async with kit.system.service(writes=False) as ctx:
        found = await by_id(ctx.db, mail_id)
    assert found is not None
    return found


@pytest.mark.parametrize("who", ["system", "user"])
async def test_a_mail_goes_out_if_its_transaction_commits(start: Any, who: str) -> None:
    async with listening() as sink:
        kit: AppKit = await start(smtp_url=f"smtp://127.0.0.1:{sink.port}", mail_from="Acme <post@acme.example>")
        user = Context(kit.runtime, Actor("user", user_id=ADA), Origin())
        open_unit: Any = kit.system.service if who == "system" else user.unit
        with suppress(ZeroDivisionError):
            async with open_unit() as ctx:
                await send_mail(ctx, "lost@example.com", "Lost", text="x")
                raise ZeroDivisionError
        async with open_unit() as ctx:
            sent = await send_mail(ctx, "ada@example.com", "Hällo 😀", text="Täxt\n", html="<p>Täxt</p>")
        assert (await stored(kit, sent)).status == "queued"
        await kit.run_jobs()
        await kit.run_jobs()
        assert (await stored(kit, sent)).status == "sent"
    ((recipients, message),) = sink.mails
    assert recipients == ["ada@example.com"]
    assert (message["From"], message["Subject"]) == ("Acme <post@acme.example>", "Hällo 😀")
    assert message["Message-ID"] == f"<{sent}@acme.example>"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content().strip() == "Täxt"
    assert message.get_body(("html",)).get_content().strip() == "<p>Täxt</p>"


async def test_without_a_server_mails_are_kept_to_be_read(kit: AppKit) -> None:
    async with kit.system.service() as ctx:
        kept = await send_mail(ctx, "ada@example.com", "Welcome", text="x")
    await kit.run_jobs()
    async with kit.system.service(writes=False) as ctx:
        assert [(one.id, one.status) for one in await latest(ctx.db)] == [(kept, "kept")]


async def test_what_a_mail_says_is_sealed_in_its_row_until_and_after_it_went_out(kit: AppKit) -> None:
    async with kit.system.service() as ctx:
        mail_id = await send_mail(ctx, "ada@example.com", "Welcome", text="open sesame", html="<p>open sesame</p>")
        other = await send_mail(ctx, "ada@example.com", "Welcome", text="open sesame")
    for _ in range(2):
        row = await stored(kit, mail_id)
        assert "sesame" not in f"{row.text} {row.html}"
        async with kit.system.service(writes=False) as ctx:
            read = await mail_of(ctx, mail_id)
        assert read is not None
        assert (read.text, read.html, read.status) == ("open sesame", "<p>open sesame</p>", row.status)
        await kit.run_jobs()
    moved = (await stored(kit, other)).text
    async with kit.system.service() as ctx:
        await ctx.db.run(_move, mail=mail_id, sealed=moved)
        assert await mail_of(ctx, mail_id) is None
        assert await mail_of(ctx, new_id()) is None


async def test_a_mail_that_nobody_wants_costs_the_same_statements_and_goes_nowhere(start: Any) -> None:
    async with listening() as sink:
        kit: AppKit = await start(smtp_url=f"smtp://127.0.0.1:{sink.port}")
        counted = set()
        for wanted in (True, False):
            async with kit.system.service() as ctx:
                await send_mail(ctx, "ada@example.com", "Welcome", text="x", html="y", wanted=wanted)
            counted.add(ctx.db.statements)
        await kit.run_jobs()
    assert len(counted) == 1
    assert len(sink.mails) == 1
    async with kit.system.service(writes=False) as ctx:
        assert [(one.recipient, one.status) for one in await newest_mails(ctx.db)] == [("ada@example.com", "sent")]
        assert await dead(ctx.db) == []


async def test_mails_that_went_out_are_forgotten_in_time(kit: AppKit) -> None:
    async with kit.system.service() as ctx:
        await send_mail(ctx, "ada@example.com", "Welcome", text="x")
    await kit.run_jobs()
    async with kit.system.service() as ctx:
        queued = await send_mail(ctx, "ada@example.com", "Not yet out", text="x")
    await kit.move(days=kit.runtime.settings.jobs_retention_days)
    await forget_sent(kit.system, {})
    async with kit.system.service(writes=False) as ctx:
        assert len(await latest(ctx.db)) == 2
    await kit.move(seconds=1)
    await forget_sent(kit.system, {})
    async with kit.system.service(writes=False) as ctx:
        assert [one.id for one in await latest(ctx.db)] == [queued]


async def test_a_periodic_job_forgets_them_in_batches(kit: AppKit) -> None:
    row = {"recipient": "ada@example.com", "subject": "x", "text": "x", "status": "sent"}
    old = kit.clock.now() - timedelta(days=kit.runtime.settings.jobs_retention_days, seconds=1)
    for _ in range(6):
        sent = [{"id": new_id(), "sent_at": old, **row} for _ in range(200)]
        async with kit.system.service() as ctx:
            await ctx.db.run(statement(insert(Mails).values(sent)))
    await plan_periodic(kit.runtime)
    await kit.run_jobs()
    async with kit.system.service(writes=False) as ctx:
        assert await latest(ctx.db) == []


async def test_a_refusal_is_tried_again(start: Any) -> None:
    async with listening() as sink:
        kit: AppKit = await start(smtp_url=f"smtp://127.0.0.1:{sink.port}")
        sink.refusing = ["451 later", "550 no"]
        async with kit.system.service() as ctx:
            sent = await send_mail(ctx, "ada@example.com", "x", text="x")
        for _ in range(2):
            await kit.run_jobs()
            assert sink.mails == []
            assert (await stored(kit, sent)).status == "queued"
            await kit.move(minutes=1)
        await kit.run_jobs()
        assert len(sink.mails) == 1
        assert (await stored(kit, sent)).status == "sent"


async def test_a_mail_that_was_sent_is_not_sent_again(start: Any) -> None:
    async with listening() as sink:
        kit: AppKit = await start(smtp_url=f"smtp://127.0.0.1:{sink.port}")
        async with kit.system.service() as ctx:
            sent = await send_mail(ctx, "ada@example.com", "x", text="x")
        await kit.run_jobs()
        await DELIVER.run(kit.system, {"mail": str(sent)})
        await DELIVER.run(kit.system, {"mail": str(new_id())})
        assert len(sink.mails) == 1


@pytest.mark.parametrize(("environment", "host", "goes"), [
    ("production", "0.0.0.0", False), ("production", "localhost", True), ("development", "0.0.0.0", True),
])  # fmt: skip
async def test_in_production_no_mail_leaves_the_machine_in_plain_text(environment: str, host: str, goes: bool) -> None:
    """Connecting to 0.0.0.0 reaches this machine; as an address it is none of loopback's."""
    async with listening() as sink:
        settings = Settings(smtp_url=f"smtp://{host}:{sink.port}", environment=environment)
        with nullcontext() if goes else pytest.raises(SMTPException, match="STARTTLS"):
            await smtp_send(settings, mail())
    assert len(sink.mails) == goes


async def test_no_mail_is_sent_while_a_unit_is_open(kit: AppKit) -> None:
    async with kit.system.service() as ctx:
        await send_mail(ctx, "ada@example.com", "x", text="x")
        with pytest.raises(UnitStillOpen, match="sending mail"):
            await smtp_send(Settings(smtp_url="smtp://127.0.0.1:9"), mail())


REFUSED = r"may not contain linefeed|one address|cannot contain CR or LF"
INJECTED = [
    {"subject": "x\nBcc: eve@example.com"},
    {"subject": "x\r\n\r\nbody"},
    {"recipient": "ada@example.com\nBcc: eve@example.com"},
    {"recipient": "ada@example.com, eve@example.com"},
    {"recipient": "Ada <ada@example.com>, eve@example.com"},
    {"recipient": "Friends: ada@example.com, eve@example.com;"},
    {"recipient": "nobody"},
    # Python reads these as ada@example.com, and as a mailbox with a line break in it.
    {"recipient": "=?utf-8?q?ada?=@example.com"},
    {"recipient": "=?utf-8?q?ada=0d=0aBcc=3a?=@example.com"},
]


@pytest.mark.parametrize("changes", INJECTED)
async def test_headers_and_recipients_cannot_be_added(kit: AppKit, changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        compose("Acme <post@acme.example>", mail(**changes))
    values = {"recipient": "ada@example.com", "subject": "x", **changes}
    with pytest.raises(ValueError, match=REFUSED):
        async with kit.system.service() as ctx:
            await send_mail(ctx, values["recipient"], values["subject"], text="x")
    async with kit.system.service(writes=False) as ctx:
        assert await latest(ctx.db) == []


async def test_a_mail_is_as_long_as_the_table_says(kit: AppKit) -> None:
    with pytest.raises(CheckViolation):
        async with kit.system.service() as ctx:
            await send_mail(ctx, "ada@example.com", "x" * 301, text="x")


def test_only_the_html_of_a_mail_is_optional() -> None:
    plain = compose("Acme <post@acme.example>", mail())
    assert plain.get_content_type() == "text/plain"
    assert plain["To"] == "ada@example.com"
    assert plain.get_content() == "Zeile\n"
