import pytest

from tenantry.kernel.negotiation import is_json, prefers_html

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        BROWSER,
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "text/html;q=0.5",
        "application/json;q=0.4, text/html;q=0.5",
        "text/html, */*",
        "text/*, application/*;q=0.9",
    ],
)
def test_html_is_preferred(accept: str) -> None:
    assert prefers_html(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "application/problem+json, text/html;q=0.9",
        "text/html, application/json",
        "text/html;q=0, */*",
        "text/html;q=nonsense",
        "text/html;q=1.5",
        "text/html;q=-1",
        "text/html;q=0.4, application/json;q=0.5",
        ";;,,;q=1,",
        "application/json;q=0, */*",
        "image/png",
        "text/html;q=0.5, */*;q=0.8",
    ],
)
def test_json_is_preferred_or_in_doubt(accept: str) -> None:
    assert not prefers_html(accept)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/merge-patch+json", True),
        ("text/json", False),
        ("application/jsonp", False),
        ("", False),
    ],
)
def test_json_types(content_type: str, expected: bool) -> None:
    assert is_json(content_type) is expected
