"""What nobody may choose as a password."""

import pytest

from tenantry.identity.hashing import PasswordWeak, refuse_weak
from tenantry.web.translations import load_translators

NEVER = ("ada@example.com", "Ada Lovelace", "Analytical Engines", None)


def refused(password, **more):
    with pytest.raises(PasswordWeak) as raised:
        refuse_weak(password, **{"length_min": 8, "never": NEVER, **more})
    [error] = raised.value.extra["errors"]
    return error["code"]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "Tr0ubador&3",
        "blau 7 Regen",
        "ñandú ñandú",
        "a" * 7 + "b" * 5,
        "x1" * 128,
        "パスワード御中様方",
    ],
)
def test_a_password_of_ones_own_passes(password):
    refuse_weak(password, length_min=8, never=NEVER)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "too_short"),
        ("q7!kD2", "too_short"),
        ("e\u0301" * 7, "too_short"),  # Seven letters, however they are written.
        ("x1" * 128 + "y", "too_long"),
        ("password", "too_common"),
        ("PassW0rd123!", "too_common"),
        ("12345678", "too_common"),
        ("Qwertyuiop1", "too_common"),
        ("p@ssw0rd", "too_common"),
        ("".join(chr(ord(letter) + 0xFEE0) for letter in "password"), "too_common"),  # full width
        ("Sommer2024!", "too_common"),
        ("zzzzzzzzzzzz", "too_common"),
        (" ADA@example.com", "too_close"),
        ("analytical engines", "too_close"),
        ("ada lovelace", "too_close"),
    ],
)
def test_422_for_what_guessers_try_first(password, why):
    assert refused(password) == why


def test_the_least_length_is_the_products():
    assert refused("blau 7 Regen", length_min=16) == "too_short"


def test_the_document_names_the_field_and_never_the_password():
    with pytest.raises(PasswordWeak) as raised:
        refuse_weak("password1", length_min=8, field="new_password")
    problem = raised.value
    assert problem.status == 422
    assert problem.extra["errors"][0]["field"] == "body.new_password"
    assert "password1" not in str(problem.body("-"))
    german = load_translators()["de"]
    assert problem.told(german) != problem.detail
    with pytest.raises(PasswordWeak) as raised:
        refuse_weak("abc", length_min=8)
    assert "8" in raised.value.told(german)
