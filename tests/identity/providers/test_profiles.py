"""What a provider tells is made fit to be stored."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.identity.errors import ProviderAnswerInvalid
from tenantry.identity.names import clean_name
from tenantry.identity.providers.base import Granted
from tenantry.identity.providers.profiles import (
    TOKEN_CHARACTERS_MAX,
    clean_email,
    external_profile,
    granted_tokens,
)
from tenantry.kernel.mail import Mail
from tenantry.kernel.mail.delivery import compose

ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()), st.binary())


def profile_of(**changes: object):
    claims = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True, "name": "Ada", **changes}
    return external_profile("https://issuer.example", claims)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_any_claims_become_something_the_tables_take(email, verified, name, image):
    found = profile_of(email=email, email_verified=verified, name=name, picture=image)
    assert found.name is None or (0 < len(found.name) <= 255 and found.name.isprintable())
    assert found.email is None or 3 <= len(found.email) <= 255
    assert found.image is None or found.image.startswith("https://")
    assert not found.email_verified or ((found.email and verified is True) or verified == "true")


@pytest.mark.parametrize("subject", [None, "", 7, True, ["ada"], "a" * 256, "a\x00b", "a\nb", "\ud800"])
def test_a_subject_that_cannot_identify_is_refused(subject):
    with pytest.raises(ProviderAnswerInvalid):
        profile_of(sub=subject)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Ada.Lovelace@Example.COM", "ada.lovelace@example.com"),
        ("ÄDA@example.com", "äda@example.com"),
        # The Kelvin sign: normalised it is the plain K, which is in somebody else's address.
        ("\u212aim@example.com", None),
        # In small letters it begins with a plain i; some databases see nothing else.
        ("\u0130da@example.com", None),
        ("ada@example.com,eve@example.org", None),
        ("=?utf-8?q?ada?=@example.com", None),
        ("ada@example.com\n", None),
        ("Ada <ada@example.com>", None),
        ('"ada@example.com"@example.org', None),
        ("ada\uff20example.com", None),
        ("ada", None),
        ("a@" + "b" * 255 + ".com", None),
        (["ada@example.com"], None),
        (None, None),
    ],
)
def test_email(given, stored):
    assert clean_email(given) == stored


@given(st.text(st.sampled_from("aZ=?_.+-!%'{|}~/#$&*^`äſ\u200b\u0301q48"), min_size=1, max_size=30))
def test_class_12_what_is_an_address_is_written_to_as_it_is(mailbox):
    address = clean_email(f"{mailbox}@example.com")
    if address is not None:
        sent = compose("post@acme.example", Mail(UUID(int=7), address, "x", "x", None, "queued"))
        assert [one.addr_spec for one in sent["To"].addresses] == [address]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  Ada \t\n Lovelace ", "Ada Lovelace"),
        ("Ada\u202eecalevoL", "AdaecalevoL"),
        ("\x00\x07", None),
        ("", None),
        ("x" * 300, "x" * 255),
        (7, None),
        ("Ada \U0001f9ee", "Ada \U0001f9ee"),
    ],
)
def test_name(given, stored):
    assert clean_name(given) == stored


@pytest.mark.parametrize(
    "image", ["http://example.com/a.png", "javascript:alert(1)", "https://", "https://a b", "data:,x", "https://[", 7]
)
def test_an_image_that_is_no_https_address_is_left_out(image):
    assert profile_of(picture=image).image is None


@pytest.mark.parametrize(
    ("verified", "counts"), [(True, True), ("true", True), (1, False), ("yes", False), (None, False)]
)
def test_only_a_plain_yes_verifies_an_address(verified, counts):
    assert profile_of(email_verified=verified).email_verified is counts


def test_no_address_is_never_verified():
    assert profile_of(email="nonsense").email_verified is False


NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "ends"),
    [
        (3600, 3600), (1.5, 1.5), ("3600", 3600), (0, None), (-1, None), (True, None), (None, None), ("soon", None),
        ("\u0663", None), ("1" * 400, None), (1e300, None), (float("nan"), None), ([3600], None),
    ],
)  # fmt: skip
def test_when_a_token_ends(seconds, ends):
    found = granted_tokens({"access_token": "x", "expires_in": seconds}, NOW).expires_at
    assert found == (None if ends is None else NOW + timedelta(seconds=ends))


@pytest.mark.parametrize(
    "token", ["", "x" * (TOKEN_CHARACTERS_MAX + 1), "a\nb", "a\x00", 7, None, ["x"], {"a": 1}], ids=repr
)
def test_a_token_that_cannot_be_kept_is_left_out(token):
    names = ("access_token", "refresh_token", "id_token")
    found = granted_tokens(dict.fromkeys(names, token), NOW)
    assert found == Granted()


def test_what_a_token_endpoint_gave():
    found = granted_tokens(
        {"access_token": "a", "refresh_token": "r", "id_token": "i", "scope": "s", "token_type": "t",
         "session_state": "x", "expires_in": 60, "is_admin": True},
        NOW,
    )  # fmt: skip
    assert found == Granted("a", "r", NOW + timedelta(seconds=60), "i", "s", "t", "x")
    assert granted_tokens({"scope": "s" * 2001, "token_type": "t" * 101}, NOW) == Granted()
