"""The macros, called as templates call them; and the style guide, which shows each of them."""

import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import pytest
from jinja2.runtime import Macro
from starlette.responses import Response

from tenantry.web import page

VOID = {"meta", "link", "input", "img", "br", "hr", "path", "rect", "line"}


class Page(HTMLParser):
    """Collects elements and notices tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()

    def values(self, attribute):
        return [attrs[attribute] for _tag, attrs in self.elements if attribute in attrs]


@pytest.fixture
def draw(templates_dir, site):
    """Draws one template text and answers what came out."""

    def drawn(source: str, **values: object) -> str:
        (templates_dir / "part.html").write_text(source)
        return site(lambda request: page(request, "part.html", **values)).get("/").text

    return drawn


@pytest.fixture(params=["en", "de"])
def guide(site, request) -> str:
    client = site(lambda asked: page(asked, "design.html"))
    answer: Response = client.get("/design", headers={"Accept-Language": request.param})
    assert answer.status_code == 200
    return answer.text


def test_the_style_guide_is_well_formed_and_its_names_are_unique(guide):
    found = Page(guide)
    ids = [key for key in found.values("id") if not re.fullmatch(r"c[0-9a-f]{10}[td]", key)]  # charts: equal content
    assert len(ids) == len(set(ids))
    for attribute in ("for", "aria-describedby", "aria-labelledby", "popovertarget"):
        for value in found.values(attribute):
            assert set(value.split()) <= set(found.values("id")), value


@pytest.mark.parametrize(("library", "name"), [("components.html", "ui"), ("sections.html", "sections")])
def test_the_style_guide_explains_every_part(site, library, name):
    client = site(lambda asked: page(asked, "design.html"))
    shown = set(re.findall(rf">{name}\.(\w+)\(", client.get("/design").text))
    module = client.app.state.pages._environments["en"].get_template(library).module
    assert shown == {one for one, part in vars(module).items() if isinstance(part, Macro) and one[0] != "_"}


def test_the_template_of_the_style_guide_works(draw, site):
    client = site(lambda asked: page(asked, "design.html"))
    source = unescape(client.get("/design").text.partition("data-copy-text>")[2].partition("</code>")[0])
    note = {"title": "<Shopping>", "words": 1200, "created_at": datetime(2026, 11, 21, tzinfo=UTC)}
    text = draw(source, notes=[note])
    assert "&lt;Shopping&gt;" in text
    assert "1,200" in text


def test_nothing_is_inline(guide):
    found = Page(guide)
    names = {name for _tag, attrs in found.elements for name in attrs}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    assert all("src" in attrs for tag, attrs in found.elements if tag == "script")
    assert not [tag for tag, _attrs in found.elements if tag == "style"]
    assert "javascript:" not in guide


def test_buttons_and_inputs_have_names(guide):
    found = Page(guide)
    labelled = set(found.values("for"))
    for tag, attrs in found.elements:
        if tag in {"input", "select", "textarea"} and attrs.get("type") != "hidden":
            assert attrs["id"] in labelled


def test_a_field_tells_its_hint_and_error(draw):
    text = draw(
        '{{ ui.field("email", "E-mail", type="email", hint="H", error="<E>", value=\'a"b\', autocomplete="email") }}'
    )
    assert '<label for="f-email">E-mail <span class="optional">(optional)</span></label>' in text
    assert 'aria-describedby="f-email-hint f-email-error" aria-invalid="true"' in text
    assert 'autocomplete="email"' in text
    assert 'value="a&#34;b"' in text
    assert "&lt;E&gt;" in text


def test_a_textarea_keeps_its_first_line_break(draw):
    text = draw('{{ ui.field("note", "Note", type="textarea", value="\\nfirst</textarea>") }}')
    assert ">\n\nfirst&lt;/textarea&gt;</textarea>" in text


def test_a_select_shows_the_chosen_option(draw):
    text = draw('{{ ui.field("p", "P", type="select", options=[("a", "A"), ("b", "B")], value="b", required=true) }}')
    assert '<option value="a">A</option><option value="b" selected>B</option>' in text
    assert " required" in text


@pytest.mark.parametrize(
    ("used", "limit", "state", "width"),
    [(0, 100, "quota", "0.00%"), (1, 1000, "quota", "1.00%"), (79, 100, "quota", "79.00%"),
     (80, 100, "quota is-near", "80.00%"),
     (100, 100, "quota is-full", "100.00%"), (250, 100, "quota is-full", "100.00%")],
)  # fmt: skip
def test_a_quota_bar(draw, used, limit, state, width):
    text = draw('{{ ui.quota("Requests", used, limit) }}', used=used, limit=limit)
    assert f'<div class="{state}">' in text
    assert f'class="fill" width="{width}"' in text
    assert f'aria-valuemax="{limit}" aria-valuenow="{min(used, limit)}"' in text
    assert f"<strong>{used}</strong> of {limit:,}" in text


def test_a_quota_without_limit_and_one_of_nothing(draw):
    assert "<strong>3</strong> · no limit" in draw('{{ ui.quota("Presets", 3, none) }}')
    text = draw('{{ ui.quota("Presets", 0, 0) }}')
    assert "Not in this plan" in text
    assert 'role="meter"' not in text


def test_sizes_in_a_quota(draw):
    assert "<strong>52.4 MB</strong> of 1 GB" in draw('{{ ui.quota("Storage", 52428800, 1000000000, format="bytes") }}')


def test_a_table_names_its_cells_for_phones(draw):
    text = draw(
        '{% call(row) ui.table(["Name", ("Calls", "number")], rows, "Keys") %}'
        '{{ ui.cell("Name", row, kind="head") }}'
        '{% call ui.cell("Calls", kind="number") %}<b>1</b>{% endcall %}{% endcall %}',
        rows=["<a>", "b"],
    )
    assert text.count('role="rowheader" scope="row"><div>') == 2
    assert "&lt;a&gt;" in text
    assert '<td class="is-number" data-label="Calls" role="cell"><div><b>1</b></div></td>' in text
    assert '<caption class="visually-hidden">Keys</caption>' in text


def test_a_danger_notice_is_read_out(draw):
    assert 'role="alert"' in draw('{{ ui.notice("danger", "No") }}')
    assert 'role="alert"' not in draw('{{ ui.notice("info", "Yes") }}')


def test_attributes_are_escaped(draw):
    text = draw('{{ ui.button("Go", attrs={"hx-post": value, "formnovalidate": none}) }}', value='/x" onclick="y')
    assert 'hx-post="/x&#34; onclick=&#34;y"' in text
    assert "formnovalidate" not in text


def test_a_code_block_is_text_without_a_script(draw):
    text = draw('{{ ui.code_block("<key>", "Your key", one_line=true) }}')
    assert "<code data-copy-text>&lt;key&gt;</code>" in text
    assert re.search(r"<button[^>]* data-copy[^>]* hidden>", text)


def test_a_dialog_opens_without_a_script(draw):
    text = draw('{% call ui.dialog("d", "Delete", "Sure?") %}text{% endcall %}')
    assert 'popovertarget="d"' in text
    assert '<div class="dialog" id="d" popover role="dialog" aria-labelledby="d-title">' in text


def test_plans_from_plain_data(draw):
    plans = [
        {"name": "Free", "price": "$0", "features": ["a & b"], "href": "/signin", "label": "Start"},
        {"name": "Pro", "price": "To be announced", "features": [], "is_current": True},
    ]
    text = draw("{{ sections.pricing_grid(plans) }}", plans=plans)
    assert "a &amp; b" in text
    assert text.count("<article") == 2
    assert "Your plan" in text
    assert 'class="plan-price is-words"' in text


def test_a_plans_action_may_be_a_form(draw):
    plans = [{"name": "Pro", "price": "$9", "features": []}]
    text = draw("{% call(plan) sections.pricing_grid(plans) %}<form>{{ plan.name }}</form>{% endcall %}", plans=plans)
    assert "<form>Pro</form>" in text


def test_the_last_page_has_no_next(draw):
    text = draw('{{ ui.pagination(previous="/keys?cursor=1") }}')
    assert 'rel="prev"' in text
    assert 'rel="next"' not in text
