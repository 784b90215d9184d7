"""The tests' own mailbox reads what was sent."""

from identity.mailbox import code_in, link_in, mailbox, token_in
from tenantry.identity import letters
from tenantry.web import Letter
from tenantry.web.translations import ENGLISH


async def test_a_mail_is_read_with_its_link_and_its_code(kit):
    link = letters.mailed_link(kit.system, "reset_" + "a1234567" * 5 + "abc")
    async with kit.system.service() as ctx:
        letter = Letter("Reset it", ["Hello."], ("Reset", link), "012345")
        await letters.send(ctx, "Ada@example.com", letter, ENGLISH)
    [mail] = await mailbox(kit, "ada@example.com")
    assert (mail.recipient, mail.subject, link_in(mail), code_in(mail)) == (
        "Ada@example.com",
        "Reset it",
        link,
        "012345",
    )
    assert token_in(mail) == link.partition("=")[2]
    assert await mailbox(kit, "grace@example.com") == []
