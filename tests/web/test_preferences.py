import pytest
from starlette.responses import PlainTextResponse

from tenantry.web import CrossSiteRefused

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def client(site):
    return site(lambda _request: PlainTextResponse("page"))


def remember(client, headers=SAME_SITE, **form):
    return client.post("/preferences", data=form, headers=headers, follow_redirects=False)


def test_a_choice_is_kept_for_a_year_and_leads_back(client):
    answer = remember(client, theme="dark", return_to="/keys?tab=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/keys?tab=1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("theme=dark; ")
    assert all(part in cookie for part in ("HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=lax", "Secure"))


def test_the_language_has_its_own_cookie(client):
    assert remember(client, locale="de").headers["set-cookie"].startswith("locale=de; ")


@pytest.mark.parametrize("form", [{"theme": "pink"}, {"locale": "xx"}, {"theme": "a; Domain=evil"}, {}])
def test_unknown_choices_are_not_kept(client, form):
    answer = remember(client, **form)
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_it_never_leads_to_another_site(client, back):
    assert remember(client, theme="dark", return_to=back).headers["location"] == "/"


def test_403_from_another_site(site):
    with pytest.raises(CrossSiteRefused):
        remember(site(lambda _request: PlainTextResponse("")), headers={"Sec-Fetch-Site": "cross-site"}, theme="dark")
