"""What a template does not hold: inline code, addresses of others, texts nobody can translate."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment

from .tree import Finding

SPOKEN = frozenset({"alt", "aria-label", "aria-description", "aria-valuetext", "label", "placeholder", "title"})
ASSETS = {
    "link": "href",
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "object": "data",
    "use": "href",
}
ELSEWHERE = re.compile(r"\s*(https?:|//|data:text)", re.IGNORECASE)
LETTERS = re.compile(r"[^\W\d_]{2,}")
EXPRESSION = "\N{SECTION SIGN}"
ATTRIBUTES = re.compile(rf'(\s*([\w-]+="[^"]*"|{EXPRESSION})\s*)+')  # kept for a tag further down with {% set %}
_BLOCKS = frozenset({"trans", "raw"})


def templates(root: Path) -> list[Path]:
    """Every HTML file below a folder."""
    return sorted(root.rglob("*.html"))


def offences(root: Path) -> Iterator[Finding]:
    """Every offence of every template below a folder."""
    for path in templates(root):
        name = path.relative_to(root).as_posix()
        for line, what in template_offences(path.read_text(encoding="utf-8")):
            yield Finding(name, line, what)


def template_offences(source: str) -> list[tuple[int, str]]:
    """(line, what) of everything in a template that must not be there."""
    reader = _Reader()
    reader.feed(plain_html(source))
    reader.close()
    safe = [(number, "|safe") for number, line in enumerate(source.splitlines(), 1) if re.search(r"\|\s*safe\b", line)]
    return [*reader.found, *safe]


def plain_html(source: str) -> str:
    """The template's own HTML, with a sign for each expression and nothing for what is translated, lines kept."""
    html, inside, depth = "", "", 0
    for _, kind, value in Environment(autoescape=True).lex(source):
        if kind == "block_begin":
            inside = "block"
        elif kind == "name" and inside == "block":
            depth += (value in _BLOCKS) - (value == "endtrans")
            inside = ""
        elif kind == "variable_begin" and not depth:
            html += "x" if html.endswith(("<", "</")) else EXPRESSION
        html += value if kind == "data" and not depth else "\n" * value.count("\n")
    return html


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "style" or (tag == "script" and "src" not in given):
            self._note(f"inline <{tag}>")
        for name, value in given.items():
            if name == "style" or name.startswith("on"):
                self._note(f"attribute {name}")
            if name in SPOKEN and LETTERS.search(value):
                self._note(f'{name}="{value}" is not translated')
        if ELSEWHERE.match(given.get(ASSETS.get(tag, ""), "")):
            self._note(f"<{tag}> from elsewhere")
        if tag == "form" and ELSEWHERE.match(given.get("action", "")):
            self._note("a form that leaves the site")
        if given.get("href", "").lower().startswith("javascript:"):
            self._note("javascript: address")

    def handle_data(self, data: str) -> None:
        if LETTERS.search(data) and self.cdata_elem is None and not ATTRIBUTES.fullmatch(data):
            self._note(f'"{data.strip()}" is not translated')

    def _note(self, what: str) -> None:
        self.found.append((self.getpos()[0], what))


def loose_policy(policy: str) -> list[str]:
    """What a Content-Security-Policy leaves open."""
    rules = {name: sources for name, _, sources in (part.strip().partition(" ") for part in policy.split(";"))}
    found = [f"{name} {sources}" for name, sources in rules.items() if "unsafe-" in sources or "*" in sources.split()]
    wanted = {"default-src", "base-uri", "form-action", "frame-ancestors", "object-src"}
    if rules.get("default-src") == "'none'":
        wanted.discard("object-src")
    return [*found, *sorted(wanted - rules.keys())]
