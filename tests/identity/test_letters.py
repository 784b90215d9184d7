"""The mails of signing in and signing up: both parts say the same, and nothing in them is taken for markup."""

import re
from html import unescape

import pytest

from identity.mailbox import code_in, link_in, mailbox
from identity.mailed import ADA, BOB, ask_for_link, mailing_product, person, sign_up
from tenantry import MagicLink, Password, Plan, Product


def words_of(html):
    """What a reader reads of the HTML part."""
    body = re.sub(r"<(style|head)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@pytest.fixture
async def kit(start):
    return await start(mailing_product())


async def letters(kit, **headers):
    """The three mails: to sign in, to sign up, to who has an account already."""
    client = await kit.client(**headers)
    await person(kit, BOB)
    await ask_for_link(client)
    await sign_up(client)
    await sign_up(client, BOB)
    found = [*await mailbox(kit, ADA), *await mailbox(kit, BOB)]
    assert len(found) == 3
    return found


@pytest.mark.parametrize("language", ["en", "de"])
async def test_both_parts_say_the_same(kit, language):
    for mail in await letters(kit, **{"accept-language": language}):
        html = words_of(mail.html)
        for line in mail.text.partition("\n-- \n")[0].splitlines():
            # The code's line is worded for each part, the link's label ends in a colon in the text only.
            sentence = line.strip().removesuffix(":")
            if sentence and not re.search(r"\d{6}$", sentence):
                assert sentence in html
        if "/auth/verify" in mail.text:
            assert code_in(mail) in html
            assert link_in(mail) in unescape(mail.html)
        assert mail.subject in html
        assert f'lang="{language}"' in mail.html


async def test_in_german(kit):
    sign_in, signing_up, known = await letters(kit, **{"accept-language": "de-AT,de;q=0.9"})
    assert sign_in.subject == "Bei Acme anmelden"
    assert "15 Minuten" in sign_in.text
    assert signing_up.subject == "Bestätigen Sie Ihre Adresse für Acme"
    assert known.subject == "Sie haben ein Konto bei Acme"
    for mail in (sign_in, signing_up, known):
        assert "Somebody" not in mail.text + mail.html


async def test_a_products_name_is_no_markup_in_a_mail(start):
    ways = [Password(), MagicLink()]
    kit = await start(Product("Fish & <b>Chips</b>", sign_in=ways, plans=[Plan("free", price=0)]))
    for mail in await letters(kit):
        assert "Fish & <b>Chips</b>" in mail.subject
        assert "<b>" not in mail.html
        assert "Fish &amp; &lt;b&gt;Chips" in mail.html


async def test_a_mail_says_how_long_it_is_good_and_what_to_do_when_it_was_not_you(kit):
    sign_in, signing_up, known = await letters(kit)
    assert "once, for 15 minutes" in sign_in.text
    assert "once, for 24 hours" in signing_up.text
    for mail in (sign_in, signing_up, known):
        assert "If it was not you" in mail.text
    for mail in (sign_in, signing_up):
        assert "Tell nobody the code" in mail.text


async def test_the_reset_is_named_only_where_there_are_passwords(start):
    kit = await start(mailing_product(MagicLink()))
    client = await kit.client()
    await person(kit)
    await sign_up(client, password="")
    [mail] = await mailbox(kit, ADA)
    assert "/auth/reset" not in mail.text + mail.html
