from pathlib import Path

import pytest
from jinja2 import UndefinedError
from starlette.responses import JSONResponse

from tenantry.kernel.problems import NotFound
from tenantry.web import CrossSiteRefused, Layout, Link, Person, gettext, page, problem_page
from tenantry.web.pages import is_current

HELLO = (
    '{% extends "base.html" %}{% block title %}Hi{% endblock %}'
    "{% block main %}{% block list %}<p>{{ name }}</p>{% endblock %}{% endblock %}"
)


@pytest.fixture
def hello(templates_dir: Path, site):
    (templates_dir / "hello.html").write_text(HELLO)

    def build(**options):
        return site(lambda request: page(request, "hello.html", fragment="list", name="<Ada>"), **options)

    return build


def test_a_page_has_the_frame_and_escapes_values(hello):
    answer = hello().get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Hi · Coinlens</title>" in answer.text
    assert "<p>&lt;Ada&gt;</p>" in answer.text
    assert 'href="#main"' in answer.text


def test_the_policy_lets_no_inline_script_or_style_run(hello):
    answer = hello(form_action=("https://accounts.google.com",)).get("/")
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self' https://accounts.google.com; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["cache-control"] == "private, no-cache"
    assert set(answer.headers["vary"].split(", ")) >= {"Cookie", "Accept-Language", "HX-Request"}


def test_what_a_person_sees_is_stored_nowhere(hello):
    layout = Layout("Coinlens", person=Person("ada@example.com"))
    assert hello(layout=lambda _request: layout).get("/").headers["cache-control"] == "no-store"


def test_every_file_the_frame_names_is_served(hello):
    client = hello(accent_hue=30)
    text = client.get("/").text
    names = [part.split('"')[0] for part in text.split('"/static/')[1:]]
    assert any(name.startswith("accent.css?v=") for name in names)
    for name in names:
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_the_accent_is_the_products(hello):
    assert hello(accent_hue=390).get("/static/accent.css").text == ":root { --accent-hue: 30; }\n"


@pytest.mark.parametrize("kind", [None, "partial"])
def test_htmx_gets_only_the_block(hello, kind):
    headers = {"HX-Request": "true"} | ({"HX-Request-Type": kind} if kind else {})
    assert hello().get("/", headers=headers).text == "<p>&lt;Ada&gt;</p>"


@pytest.mark.parametrize("headers", [{"HX-Request": "true", "HX-Request-Type": "full"}, {"HX-Request": "false"}, {}])
def test_others_get_the_whole_page(hello, headers):
    assert "<html" in hello().get("/", headers=headers).text


def test_a_missing_value_is_an_error_not_an_empty_place(templates_dir, site):
    (templates_dir / "x.html").write_text("{{ absent }}")
    client = site(lambda request: page(request, "x.html"))
    with pytest.raises(UndefinedError):
        client.get("/")


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"'), ("system", ""), ("<x>", "")],
)
def test_the_theme_is_right_in_the_first_byte(hello, cookie, attribute):
    text = hello().get("/", headers={"Cookie": f"theme={cookie}"}).text
    assert f'<html lang="en" dir="ltr"{attribute}>' in text


def test_the_reader_gets_their_language(hello):
    client = hello()
    german = client.get("/", headers={"Accept-Language": "de-AT"})
    assert '<html lang="de"' in german.text
    assert "Zum Inhalt springen" in german.text
    assert german.headers["content-language"] == "de"
    chosen = client.get("/", headers={"Accept-Language": "de", "Cookie": "locale=en"})
    assert "Skip to the content" in chosen.text


def test_the_layout_may_decide_theme_and_language(hello):
    client = hello(layout=lambda _request: Layout("Coinlens", theme="dark", locale="de"))
    assert (
        '<html lang="de" dir="ltr" data-theme="dark">'
        in client.get("/", headers={"Cookie": "locale=en; theme=light"}).text
    )


def test_an_unknown_language_of_the_layout_is_negotiated(hello):
    assert 'lang="en"' in hello(layout=lambda _request: Layout("Coinlens", locale="xx")).get("/").text


def test_signed_in_the_navigation_stands_at_the_side(hello):
    nav = (Link("Keys", "/keys", icon="key"), Link("Team", "/team", icon="people", group="Account"))
    layout = Layout("Coinlens", nav=nav, person=Person("ada@example.com", "Ada <Lovelace>"), notice="Demo only")
    text = hello(layout=lambda _request: layout).get("/keys/1").text
    assert '<body class="in-app">' in text
    assert '<a href="/keys" aria-current="page">' in text
    assert '<li class="nav-group">Account</li>' in text
    assert "Ada &lt;Lovelace&gt;" in text
    assert '<form method="post" action="/auth/signout">' in text
    assert "Demo only" in text


def test_a_change_of_language_leads_back_to_the_same_view(hello):
    text = hello().get("/keys?state=active&n=1").text
    assert 'name="return_to" value="/keys?state=active&amp;n=1"' in text


def test_the_request_id_is_in_the_page(hello):
    layout = Layout("Coinlens", request_id="req-7")
    assert '<meta name="request-id" content="req-7">' in hello(layout=lambda _request: layout).get("/").text


def test_signed_out_there_is_no_account_menu(hello):
    text = hello().get("/").text
    assert '<body class="on-site">' in text
    assert "Account menu" not in text


@pytest.mark.parametrize(
    ("href", "path", "expected"),
    [
        ("/", "/", True),
        ("/", "/keys", False),
        ("/keys", "/keys", True),
        ("/keys", "/keys/1", True),
        ("/keys", "/keysmith", False),
    ],
)
def test_which_link_is_current(href, path, expected):
    assert is_current(Link("x", href), path) is expected


@pytest.mark.parametrize(
    ("name", "initials"), [("Ada Lovelace", "AL"), ("ada", "A"), ("", "JD"), ("Jean Luc Marie", "JL")]
)
def test_initials(name, initials):
    assert Person("john.doe@example.com", name).initials == initials


def test_a_room_says_texts_in_the_readers_language(site):
    client = site(lambda request: JSONResponse(gettext(request)("Sign out")))
    assert client.get("/", headers={"Accept-Language": "de"}).json() == "Abmelden"


def test_a_products_template_replaces_ours(templates_dir, site):
    (templates_dir / "problem.html").write_text("mine {{ status }}")
    client = site(lambda request: problem_page(request, NotFound().body(None)))
    assert client.get("/").text == "mine 404"


def test_a_problem_is_a_page_with_code_request_and_a_way_out(site):
    client = site(lambda request: problem_page(request, NotFound().body("req-1")))
    answer = client.get("/")
    assert answer.status_code == 404
    assert "This page does not exist" in answer.text
    assert "There is nothing here, or nothing that you may see." in answer.text
    assert "request.not_found" in answer.text
    assert "req-1" in answer.text
    assert "Go to the start page" in answer.text


def test_a_problem_speaks_the_readers_language(site):
    client = site(lambda request: problem_page(request, CrossSiteRefused().body(None)))
    text = client.get("/", headers={"Accept-Language": "de"}).text
    assert "Das dürfen Sie nicht" in text
    assert "Diese Anfrage kam nicht von unseren eigenen Seiten." in text


def test_a_problem_lists_what_was_not_accepted(site):
    body = {**NotFound().body(None), "status": 422, "errors": [{"field": "body.email", "message": "<b>", "code": "x"}]}
    text = site(lambda request: problem_page(request, body)).get("/").text
    assert "&lt;b&gt; <code>body.email</code>" in text


@pytest.mark.parametrize(
    ("status", "title"), [(500, "Something went wrong"), (418, "That did not work"), (401, "Please sign in")]
)
def test_every_status_has_a_heading(site, status, title):
    body = {**NotFound().body(None), "status": status}
    answer = site(lambda request: problem_page(request, body)).get("/")
    assert answer.status_code == status
    assert f"<h1>{title}</h1>" in answer.text


def test_htmx_gets_the_problem_without_the_frame(site):
    client = site(lambda request: problem_page(request, NotFound().body(None)))
    text = client.get("/", headers={"HX-Request": "true"}).text
    assert "<html" not in text
    assert "<h1>This page does not exist</h1>" in text
