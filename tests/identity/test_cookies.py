"""The cookies in production, and what is read of them."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tenantry.identity import cookies
from tenantry.identity.asked import Asked, keep_asked, read_asked
from tenantry.identity.providers.base import Pending
from tenantry.identity.tokens import Purpose
from tenantry.kernel.context import STRANGER, Context, Origin

TOKEN = "sess_" + "A" * 43
PENDING = Pending("demo", "state_" + "B" * 43, "nonce", "verifier", "http://127.0.0.1/auth/demo/callback", "/dashboard")


@pytest.fixture
def database_kind() -> str:
    return "sqlite"  # no statement runs here


@pytest.fixture
def ctx(kit):
    settings = kit.runtime.settings.model_copy(update={"environment": "production"})
    return Context(replace(kit.runtime, settings=settings), STRANGER, Origin())


def request_with(cookie=""):
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [(b"cookie", cookie.encode("latin-1"))]})


def set_cookies(response):
    return [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]


def parts_of(cookie):
    return {part.strip().lower() for part in cookie.split(";")[1:]}


def test_both_are_bound_to_the_host(ctx):
    response = Response()
    cookies.keep_session(response, TOKEN, ctx=ctx)
    cookies.keep_pending(response, request_with(), PENDING, ctx=ctx)
    session, pending = set_cookies(response)
    assert session.startswith(f"__Host-session={TOKEN};")
    assert pending.startswith(f"__Host-signin-{'B' * 22}=v1.")
    # What the prefix demands: Secure, Path=/, no Domain.
    assert parts_of(session) == {"httponly", "max-age=3600", "path=/", "samesite=lax", "secure"}
    assert parts_of(pending) == {"httponly", "max-age=600", "path=/", "samesite=lax", "secure"}


def test_a_cookie_without_the_prefix_is_not_read(ctx):
    assert cookies.session_token(request_with(f"__Host-session={TOKEN}"), ctx.settings) == TOKEN
    for planted in (f"session={TOKEN}", f"__host-session={TOKEN}", f"__Secure-session={TOKEN}"):
        assert cookies.session_token(request_with(planted), ctx.settings) is None


@pytest.mark.parametrize("blank", ["\x85", "\xa0", "\x1c", "\x0b", "\x0c"])
def test_class_03_a_name_that_python_would_strip_to_ours_is_not_ours(ctx, blank):
    """Browsers let a sibling domain set it: to them it does not begin with `__Host-`."""
    response = Response()
    cookies.keep_pending(response, request_with(), PENDING, ctx=ctx)
    note = blank + set_cookies(response)[0].partition(";")[0]
    assert cookies.read_pending(request_with(note), PENDING.state, "demo", ctx=ctx) is None
    assert cookies.session_token(request_with(f"{blank}__Host-session={TOKEN}"), ctx.settings) is None
    assert cookies.session_token(request_with(f"__Host-session{blank}={TOKEN}"), ctx.settings) is None
    half = f"{blank}__Host-half=second_factor_{'A' * 43}"
    assert cookies.half_token(request_with(half), ctx.settings) is None
    # Neither does it get in the way of the one that is ours.
    both = f"{blank}__Host-session=sess_{'B' * 43}; __Host-session={TOKEN}"
    assert cookies.session_token(request_with(both), ctx.settings) == TOKEN
    asked = Asked(Purpose.SIGN_IN, UUID(int=7), "ada@example.com")
    response = Response()
    keep_asked(response, asked, ctx=ctx)
    note = set_cookies(response)[0].partition(";")[0]
    assert read_asked(request_with(note), ctx=ctx) == asked
    assert read_asked(request_with(blank + note), ctx=ctx) is None


def test_a_note_is_read_back_once_it_fits(ctx):
    response = Response()
    cookies.keep_pending(response, request_with(), PENDING, ctx=ctx)
    request = request_with(set_cookies(response)[0].partition(";")[0])
    assert cookies.read_pending(request, PENDING.state, "demo", ctx=ctx) == PENDING
    assert cookies.read_pending(request, PENDING.state, "google", ctx=ctx) is None
    # The name holds half of the state; the seal holds all of it.
    assert cookies.read_pending(request, PENDING.state[:-1] + "C", "demo", ctx=ctx) is None
    for nonsense in ("", "state_", PENDING.state + "B", "../../etc", "state_" + "=" * 43, "\x00"):
        assert cookies.read_pending(request, nonsense, "demo", ctx=ctx) is None


def test_a_note_of_another_version_is_none(ctx):
    sealed = ctx.runtime.vault.seal_cookie(
        {"provider": "demo", "state": PENDING.state},
        purpose="sign-in",
        expires_at=ctx.clock.now() + timedelta(minutes=1),
    )
    request = request_with(f"__Host-signin-{'B' * 22}={sealed}")
    assert cookies.read_pending(request, PENDING.state, "demo", ctx=ctx) is None


def test_a_sealed_text_of_another_purpose_is_no_note(ctx):
    sealed = ctx.runtime.vault.seal_cookie(
        {"state": PENDING.state}, purpose="else", expires_at=ctx.clock.now().replace(year=2030)
    )
    request = request_with(f"__Host-signin-{'B' * 22}={sealed}")
    assert cookies.read_pending(request, PENDING.state, "demo", ctx=ctx) is None


def test_the_oldest_make_way(ctx):
    before = "; ".join(f"__Host-signin-{number}=x" for number in range(7)) + "; __Host-session=y; other=z"
    response = Response()
    cookies.keep_pending(response, request_with(before), PENDING, ctx=ctx)
    *dropped, kept = set_cookies(response)
    assert [one.partition("=")[0] for one in dropped] == [f"__Host-signin-{number}" for number in range(3)]
    assert all("Max-Age=0" in one for one in dropped)
    assert kept.startswith("__Host-signin-B")


def test_only_what_is_there_is_taken_away(ctx):
    response = Response()
    cookies.drop_session(response, request_with("other=1"), ctx.settings)
    cookies.drop_pending(response, request_with(), PENDING.state, ctx.settings)
    cookies.drop_pending(response, request_with(f"__Host-signin-{'B' * 22}=x"), "nonsense", ctx.settings)
    assert set_cookies(response) == []
    cookies.drop_session(response, request_with("__Host-session=anything"), ctx.settings)
    (gone,) = set_cookies(response)
    assert gone.startswith('__Host-session="";')
    assert {"max-age=0", "path=/", "secure"} <= parts_of(gone)
