import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.kernel.crypto import SealBroken, Vault, same, token_hash

OLD, NEW = "old secret, long enough to be taken as one", "new secret, long enough to be taken as one"
NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
VAULT = Vault([OLD])
SEALED = VAULT.seal("a refresh token", purpose="accounts.refresh_token", context="row 1")
COOKIE = VAULT.seal_cookie({"state": "abc", "n": 1}, purpose="sign-in", expires_at=NOON)

KNOWN = VAULT._seal(b"known", "p", "c", bytes(range(56)))


def test_a_token_hash_is_sha256() -> None:
    assert token_hash("abc") == hashlib.sha256(b"abc").digest()
    assert len(token_hash("\ud800")) == 32


def test_same_compares_text_and_bytes() -> None:
    assert same("ä", "ä".encode())
    assert not same("a", "b")
    assert not same("", "b")


@given(st.binary(max_size=300), st.text(max_size=20), st.text(max_size=20))
def test_what_was_sealed_opens_again(plain: bytes, purpose: str, context: str) -> None:
    sealed = VAULT.seal(plain, purpose=purpose, context=context)
    assert VAULT.open(sealed, purpose=purpose, context=context) == plain


def test_the_same_text_never_seals_to_the_same_text() -> None:
    assert VAULT.seal("x", purpose="p") != VAULT.seal("x", purpose="p")


def test_a_known_answer() -> None:
    # Worked out apart from the vault: HKDF by hand from HMAC, AES-GCM through the cipher interface.
    key_id, wrapped, cipher = KNOWN.split(".")[1:]
    assert KNOWN.startswith("v1.")
    assert (key_id, wrapped, cipher) == (
        "3129bb37",
        "ICEiIyQlJicoKSor9UPiMGHCGEXV2twJuotc_4p6ErQj6uTf5i-t2vyQIfOlo5sYUpNGroX1M_zD8v8G",
        "LC0uLzAxMjM0NTY3OZNKYQyst1UU_St8N375pO3_gP1p",
    )
    assert VAULT.open(KNOWN, purpose="p", context="c") == b"known"


@given(st.integers(0, len(SEALED) - 1), st.characters())
def test_any_changed_character_is_refused(place: int, letter: str) -> None:
    changed = SEALED[:place] + letter + SEALED[place + 1 :]
    if changed == SEALED:
        return
    with pytest.raises(SealBroken):
        VAULT.open(changed, purpose="accounts.refresh_token", context="row 1")


@given(st.text(max_size=300))
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SealBroken):
        VAULT.open(text, purpose="p")


@given(st.integers(0, len(SEALED)))
def test_a_shortened_text_is_refused(length: int) -> None:
    if length == len(SEALED):
        return
    with pytest.raises(SealBroken):
        VAULT.open(SEALED[:length], purpose="accounts.refresh_token", context="row 1")


@pytest.mark.parametrize(
    ("purpose", "context"),
    [("accounts.refresh_token", "row 2"), ("accounts.refresh_token", ""), ("accounts.refresh_tokenr", "ow 1")],
)
def test_another_purpose_or_context_is_refused(purpose: str, context: str) -> None:
    with pytest.raises(SealBroken):
        VAULT.open(SEALED, purpose=purpose, context=context)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(SealBroken, match="not listed"):
        Vault([NEW]).open(SEALED, purpose="accounts.refresh_token", context="row 1")


def test_rotation_wraps_only_the_data_key_anew() -> None:
    both = Vault([NEW, OLD])
    assert both.needs_rotation(SEALED)
    assert not VAULT.needs_rotation(SEALED)
    rotated = both.rotate(SEALED, purpose="accounts.refresh_token", context="row 1")
    assert not both.needs_rotation(rotated)
    assert rotated.split(".")[3] == SEALED.split(".")[3]
    assert rotated.split(".")[1:3] != SEALED.split(".")[1:3]
    assert Vault([NEW]).open(rotated, purpose="accounts.refresh_token", context="row 1") == b"a refresh token"
    assert both.rotate(rotated, purpose="accounts.refresh_token", context="row 1") == rotated
    with pytest.raises(SealBroken):
        both.rotate(SEALED, purpose="accounts.refresh_token", context="row 2")


def test_a_cookie_is_valid_until_it_expires() -> None:
    assert VAULT.open_cookie(COOKIE, purpose="sign-in", now=NOON - timedelta(seconds=1)) == {"state": "abc", "n": 1}
    assert VAULT.open_cookie(COOKIE, purpose="sign-in", now=NOON) is None
    assert VAULT.open_cookie(COOKIE, purpose="other", now=NOON - timedelta(days=1)) is None


@given(st.integers(0, len(COOKIE) - 1), st.characters())
def test_a_changed_cookie_is_none(place: int, letter: str) -> None:
    changed = COOKIE[:place] + letter + COOKIE[place + 1 :]
    if changed != COOKIE:
        assert VAULT.open_cookie(changed, purpose="sign-in", now=NOON - timedelta(days=1)) is None


def test_a_sealed_record_is_no_cookie() -> None:
    record = VAULT.seal(b'{"expires": 99999999999, "data": {}}', purpose="sign-in")
    assert VAULT.open_cookie(record, purpose="sign-in", now=NOON) is None


@pytest.mark.parametrize(("secrets", "said"), [([], "at least one"), (["short"], "32"), ([OLD, NEW, OLD], "twice")])
def test_unfit_secrets_are_refused(secrets: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Vault(secrets)
