import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from tenantry.web import CrossSiteRefused, refuse_cross_site, safe_return_path

PUBLIC = "https://app.example.com"
PARTNER = "https://front.example.org"
COOKIE = ("cookie", "session=abc")
FORM = ("content-type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")


def request(method: str, *headers: tuple[str, str]) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "query_string": b""})


def check(asked: Request) -> None:
    refuse_cross_site(asked, public_origin=PUBLIC, allowed_origins=[PARTNER])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_never_refused(method):
    check(request(method, COOKIE, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")))


@pytest.mark.parametrize(
    "headers",
    [
        [COOKIE, ("sec-fetch-site", "same-origin")],
        [COOKIE, ("sec-fetch-site", "none")],
        [COOKIE, FORM, ("sec-fetch-site", "same-origin"), ("origin", PUBLIC)],
        [COOKIE, ("origin", PUBLIC)],
        [COOKIE, JSON, ("origin", PARTNER)],
        [COOKIE, ("origin", PARTNER), ("sec-fetch-site", "cross-site")],
        [FORM, ("origin", PUBLIC)],
        [FORM],
        [JSON],
        [JSON, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        [],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_our_own_pages_listed_origins_and_programs_pass(method, headers):
    check(request(method, *headers))


@pytest.mark.parametrize(
    "headers",
    [
        [COOKIE],
        [COOKIE, JSON],
        [COOKIE, ("sec-fetch-site", "cross-site")],
        [COOKIE, ("sec-fetch-site", "same-site")],
        [COOKIE, ("sec-fetch-site", "")],
        [COOKIE, ("sec-fetch-site", "SAME-ORIGIN")],
        [COOKIE, ("sec-fetch-site", "cross-site"), ("origin", PUBLIC)],
        [COOKIE, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        [COOKIE, ("origin", "null")],
        [COOKIE, ("origin", "null"), ("sec-fetch-site", "same-origin")],
        [COOKIE, ("origin", "https://evil.example")],
        [COOKIE, ("origin", PUBLIC + ".evil.example")],
        [COOKIE, ("origin", PUBLIC + "/")],
        [COOKIE, ("origin", "http://app.example.com")],
        [COOKIE, ("origin", PUBLIC + ":8443")],
        [COOKIE, ("origin", PUBLIC), ("origin", "https://evil.example")],
        [COOKIE, ("origin", PARTNER), ("origin", PARTNER)],
        [FORM, ("origin", "https://evil.example")],
        [FORM, ("origin", "null")],
        [FORM, ("sec-fetch-site", "cross-site")],
        [("content-type", "multipart/form-data; boundary=x"), ("sec-fetch-site", "cross-site")],
        [("content-type", "TEXT/PLAIN"), ("sec-fetch-site", "same-site")],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_403_everything_else(method, headers):
    with pytest.raises(CrossSiteRefused) as refusal:
        check(request(method, *headers))
    assert (refusal.value.status, refusal.value.code) == (403, "web.cross_site")


def test_null_is_refused_even_when_somebody_lists_it():
    with pytest.raises(CrossSiteRefused):
        refuse_cross_site(request("POST", COOKIE, ("origin", "null")), public_origin=PUBLIC, allowed_origins=["null"])


@pytest.mark.parametrize(
    "path",
    ["/", "/dashboard", "/keys/01.txt", "/a-b_c+d@e", "/settings?tab=sessions", "/files?path=a%2Fb", "/x?a=1&b=%40",
     "/v1.2/..c/d..", "/" + "a" * 511],
)  # fmt: skip
def test_a_plain_path_is_kept(path):
    assert safe_return_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", None, "dashboard", "https://evil.example", "//evil.example", "/\\evil.example", "\\/evil.example",
     "/%2fevil.example", "/%2Fevil.example", "/%5Cevil.example", "/a//evil.example", "/a/../b", "/./a", "/..",
     "/a\nb", "/a\n", "/a\r\nSet-Cookie: x", "/\t/evil.example", "/a b", "/a#b", "/a?b#c", "/a?b=//\x00", "/a?b=%00",
     "/a?b=%0d%0a", "/a?b=%7F", "/a?b=%zz", "/a?b=%", "/a:b", "javascript:alert(1)", "/a?b=<script>", "/ä",
     "/\u2044evil", "/\uff0fevil", "/" + "a" * 512, " /a", "/a "],
)  # fmt: skip
def test_anything_else_gives_the_default(path):
    assert safe_return_path(path) == "/dashboard"
    assert safe_return_path(path, "/") == "/"


@given(st.text(max_size=40).map(lambda tail: "/" + tail))
def test_a_kept_path_stays_on_this_site(path):
    kept = safe_return_path(path)
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))
    assert kept.isascii()
    assert kept.isprintable()
