"""A planted secret never comes out."""

from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tenantry.kernel.crypto import Vault
from tenantry.kernel.ids import new_token
from tenantry.kernel.redaction import exception_text, redacted, scrubbed

SECRET = "Zx9Planted0Secret7Qw"
SECRET_NAMES = [
    "password",
    "Password_Hash",
    "new_password",
    "passphrase",
    "client_secret",
    "STRIPE_API_KEY",
    "apiKey",
    "x-api-key",
    "authorization",
    "cookie",
    "set-cookie",
    "access_token",
    "token",
    "refresh-token",
    "session_id",
    "csrf",
    "totp",
    "otp_code",
    "pin",
    "private_key",
    "signature",
    "dsn",
    "code_verifier",
    "credentials",
    "recovery_codes",
]
PLANTS = (
    f"Bearer {SECRET}",
    f"Authorization: Basic {SECRET}==",
    f"postgresql://app:{SECRET}@db.example:5432/app?sslmode=require",
    f"redis://:{SECRET}@cache",
    f"postgresql+asyncpg://app:p@ss:{SECRET}@db/app",
    f"GET /auth/callback?code={SECRET}&state={SECRET}{SECRET}",
    f"https://example.com/?x=1&access_token={SECRET}#y",
    f"User(name='x', password='{SECRET}')",
    f"{{'api_key': '{SECRET}', 'n': 1}}",
    f'{{"client_secret": "{SECRET}"}}',
    f'"{{\\"client_secret\\": \\"{SECRET}\\"}}"',
    f"password={SECRET}",
    f"cookie: a=b; __Host-session={SECRET}; c=d",
    f"tk_live_{SECRET}{SECRET}",
    f"the key sk-proj-{SECRET} is refused",
    f"whsec_{SECRET}{SECRET}",
    f"[SQL: insert ...]\n[parameters: ('{SECRET}', 1)]",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{SECRET}.{SECRET}",
    f"[type=string_type, input_value='{SECRET}', input_type=str]",
)


@dataclass
class Point:
    name: str
    password: str


class Row(msgspec.Struct):
    name: str
    api_key: str


class Form(BaseModel):
    name: str
    client_secret: str


class Opaque:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"<Opaque {self._text}>"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


def named(name: str) -> list[Any]:
    """Return the secret as a member of that name, in every kind of container."""
    return [
        {name: SECRET},
        {name: [SECRET]},
        {name: {"deeper": SECRET}},
        {name: SECRET.encode()},
        {name: 1, name.upper(): SECRET},
    ]


leaves = st.one_of(
    st.sampled_from(PLANTS),
    st.sampled_from(PLANTS).map(str.encode),
    st.sampled_from(PLANTS).map(ValueError),
    st.sampled_from(PLANTS).map(Opaque),
    st.sampled_from(SECRET_NAMES).flatmap(lambda name: st.sampled_from(named(name))),
    st.just(Point("x", SECRET)),
    st.just(Row("x", SECRET)),
    st.just(Form(name="x", client_secret=SECRET)),
    st.text(max_size=10),
    st.integers(),
    st.none(),
)
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=5), st.sampled_from(PLANTS)), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(nested)
def test_a_planted_secret_never_comes_out(value: Any) -> None:
    assert SECRET not in str(redacted({"event": value}))
    assert SECRET not in msgspec.json.encode(redacted({"event": value}), enc_hook=str).decode()


@given(st.text(max_size=20), st.sampled_from(PLANTS), st.text(max_size=20))
def test_whatever_stands_around_it(before: str, plant: str, after: str) -> None:
    assert SECRET not in scrubbed(f"{before} {plant} {after}")


@given(st.sampled_from(PLANTS))
def test_masking_twice_changes_nothing(plant: str) -> None:
    assert scrubbed(scrubbed(plant)) == scrubbed(plant)


def test_our_own_tokens_and_sealed_texts_are_masked() -> None:
    token, sealed = new_token("tk"), Vault(["x" * 32]).seal("y", purpose="p")
    assert scrubbed(f"key {token}.") == "key tk_***."
    assert scrubbed(f"{{'v': '{sealed}'}}") == "{'v': 'sealed ***'}"


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/keys/{key_id} 200",
        "row 01a1fe35-d646-75fd-ae40-eaa233b837de and file_01a1fe35d64675fdae40eaa2568bc576",
        "keys.limit_reached",
        "http://localhost:8000/dashboard",
        "spent 120 tokens of 1000",
        "a_rather_long_name_of_a_function_in_the_code",
        "2030-01-31T12:00:00Z",
        "nobody@example.com",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_numbers_of_tokens_and_ids_of_keys_stay() -> None:
    event = {"prompt_tokens": 12, "tokens": 3, "key_id": "7", "code": "keys.limit_reached", "has_password": True}
    assert redacted(event) == event


def test_depth_and_broken_objects_do_not_lose_the_line() -> None:
    deep: list[Any] = []
    for _ in range(2_000):
        deep = [deep]
    assert "<list>" in str(redacted(deep))
    assert redacted([Broken()]) == ["<Broken>"]


def test_long_hostile_texts_are_read_in_a_moment() -> None:
    for piece in (
        "a",
        "a-",
        "a_",
        "://",
        "eyJ-",
        "x:",
        "token",
        "password=",
        "'",
        "&code",
        "[parameters: ",
        "sk-",
        "cookie",
        "Bearer ",
    ):
        scrubbed(piece * (40_000 // len(piece)))


def refuse(secret: str) -> None:
    local_variable = secret
    raise ValueError(f"password={local_variable}")


def fail(secret: str) -> None:
    try:
        refuse(secret)
    except ValueError as error:
        raise RuntimeError("while signing in") from error


def test_a_traceback_shows_lines_and_causes_but_no_values() -> None:
    with pytest.raises(RuntimeError) as caught:
        fail(SECRET)
    text = exception_text(caught.value)
    assert SECRET not in text
    assert text.index("ValueError: password=***") < text.index("RuntimeError: while signing in")
    assert "test_redaction.py" in text
    group = ExceptionGroup("several", [ValueError(f"token={SECRET}")])
    assert "ValueError: token=***" in exception_text(group)


def test_refused_input_is_told_without_the_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"name": [SECRET], "client_secret": 1})
    text = exception_text(caught.value)
    assert SECRET not in text
    assert "ValidationError: name: string_type; client_secret: " in text
    assert SECRET not in str(redacted(caught.value))


def test_causes_in_a_circle_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert exception_text(one).count("ValueError") == 2


def test_a_row_that_postgresql_refused_is_not_quoted() -> None:
    refused = asyncpg.CheckViolationError("new row violates check constraint")
    refused.detail = "Failing row contains (1, ada@example.com,\nsecond line)."
    text = exception_text(refused)
    assert "new row violates check constraint" in text
    assert "ada@example.com" not in text
    assert "second line" not in text
