"""Pages hold no inline code and nothing from elsewhere; every text of theirs can be translated, and is, into German."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from house.rules.templates import loose_policy, offences, plain_html, template_offences, templates
from house.rules.tree import PACKAGE, ROOT, unexcused

EXCUSED = {"web/templates/letter.html": "a mail, not a page: mail programs drop style sheets, so styles stand in it"}


def script(name: str) -> ModuleType:
    """A program of `scripts/`, loaded anew."""
    spec = importlib.util.spec_from_file_location(f"house_{name}", ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_templates_hold_nothing_they_must_not():
    assert len(templates(PACKAGE)) > 10
    assert unexcused(offences(PACKAGE), EXCUSED) == []


@pytest.mark.parametrize(
    "source",
    [
        "<script>go()</script>",
        "<style>a{}</style>",
        '<p style="color: red">{{ text }}</p>',
        '<button onclick="go()">{{ _("Go") }}</button>',
        '<a href="javascript:go()">{{ _("Go") }}</a>',
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<img src="https://cdn.example/x.png" alt="">',
        "<p>Hello {{ name }}</p>",
        '{% if a %}<p>{{ _("One") }}</p>{% else %}Two{% endif %}',
        '<input placeholder="Your name">',
        '<nav aria-label="Main {{ name }}">',
        '<form method="post" action="https://elsewhere.example/">',
        "<p>{{ text|safe }}</p>",
    ],
)
def test_an_offence_is_found(source):
    assert len(template_offences(source)) == 1


def test_what_is_in_order_passes():
    source = """
    {# A comment may say what it likes. #}
    {% extends "base.html" %}{% set names = {"a": _("System")} %}
    <script type="module" src="{{ static_url("app.js") }}"></script>
    <p class="lead">{{ _("Hello") }} · 5 {% trans %}<strong>{{ used }}</strong> of {{ top }}{% endtrans %} %</p>
    <h{{ level }} aria-label="{{ _("Main") }}">{{ title }}</h{{ level }}><{{ tag }} data-label="x">{{ x }}</{{ tag }}>
    <form method="post" action="/settings/{{ id }}"><input name="locale" value="de"{% if a %} checked{% endif %}></form>
    <a href="https://example.org/">{{ _("Read more") }}</a>
    """
    assert template_offences(source) == []
    assert plain_html(source).count("\n") == source.count("\n")


async def test_the_content_policy_leaves_nothing_open(kit):
    browser = await kit.client()
    for path in ("/", "/signin", "/nothing-here"):
        answer = await browser.get(path, headers={"Accept": "text/html"})
        assert loose_policy(answer.headers["content-security-policy"]) == []


@pytest.mark.parametrize(
    ("policy", "open_parts"),
    [
        ("default-src 'none'; script-src 'unsafe-inline'", ["script-src 'unsafe-inline'"]),
        ("default-src 'none'; img-src *", ["img-src *"]),
        ("default-src 'self'", ["object-src"]),
    ],
)
def test_an_open_policy_is_found(policy, open_parts):
    assert loose_policy(f"{policy}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'") == open_parts


def untranslated(messages: ModuleType, source: Path) -> list[str]:
    """Texts of the package that the German catalogue lacks."""
    german = messages._read(messages.LOCALE / "de" / "LC_MESSAGES" / "tenantry.po")
    ready = {message.id for message in german if message.id} - set(messages._open(german))
    return [str(message.id) for message in messages.collect(source) if message.id and message.id not in ready]


def test_german_is_complete(capsys):
    messages = script("messages")
    assert untranslated(messages, PACKAGE) == []
    assert messages.main(["--check"]) == 0, capsys.readouterr().err


def test_a_text_without_german_is_found(tmp_path):
    (tmp_path / "pages.py").write_text('def show(_):\n    return _("Sign in"), _("Nobody has translated this")\n')
    assert untranslated(script("messages"), tmp_path) == ["Nobody has translated this"]


def vendored(folder: Path) -> list[str]:
    vendor = script("vendor")
    vendor.FOLDER, vendor.LIST = folder, folder / "vendor.toml"
    return vendor.check(vendor.tomllib.loads(vendor.LIST.read_text(encoding="utf-8"))["package"])


def test_vendored_files_are_as_declared():
    assert vendored(PACKAGE / "web" / "static" / "vendor") == []


def test_a_changed_vendored_file_is_found(tmp_path):
    folder = shutil.copytree(PACKAGE / "web" / "static" / "vendor", tmp_path / "vendor")
    (folder / "htmx.min.js").write_text("changed")
    (folder / "more.js").write_text("new")
    assert len(vendored(folder)) == 2
