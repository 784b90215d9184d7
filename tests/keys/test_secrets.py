import re

import pytest

from tenantry.kernel.crypto import token_hash
from tenantry.keys.secrets import FORM, checksum, is_secret, new_secret


def test_a_new_key_is_known_by_its_form_and_kept_as_a_hash():
    made = new_secret("acme", kind="live")
    assert re.fullmatch(FORM, made.secret)
    assert made.secret.startswith(made.prefix)
    assert made.secret.endswith(made.ending)
    assert made.prefix.startswith("acme_live_")
    assert made.hash == token_hash(made.secret)
    assert is_secret(made.secret)


def test_what_people_are_shown_is_a_small_part_of_it():
    made = new_secret("acme", kind="trial")
    shown = len(made.prefix.removeprefix("acme_trial_")) + len(made.ending)
    hidden = len(made.secret.removeprefix("acme_trial_")) - shown
    # 43 random characters, of which four are shown; the ending is of the checksum, which the rest decides.
    assert (shown, hidden) == (8, 41)


def test_no_two_are_alike():
    assert len({new_secret("acme", kind="live").secret for _ in range(1000)}) == 1000


@pytest.mark.parametrize("place", range(0, 59, 7))
def test_one_wrong_character_is_noticed(place):
    secret = new_secret("acme", kind="live").secret
    wrong = secret[:place] + ("x" if secret[place] != "x" else "y") + secret[place + 1 :]
    assert not is_secret(wrong)


def test_two_characters_in_each_others_place_are_noticed():
    secret = "acme_live_" + "ab" + "0" * 41
    whole = secret + checksum(secret)
    assert is_secret(whole)
    assert not is_secret(whole.replace("ab", "ba"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme_live_",
        "acme_live_short",
        "sess_" + "a" * 43,
        "acme_test_" + "a" * 49,
        "acme_live_" + "ä" * 49,
        "a" * 10_000,
    ],
)
def test_other_text_is_no_key(text):
    assert not is_secret(text)
