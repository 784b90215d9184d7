"""Keep the message catalogues complete.

`python scripts/messages.py` collects every translatable text of the package into `tenantry.pot` and brings each
language's catalogue up to date. `--check` changes nothing and fails when a text is missing in one of them.

Collected are `_("...")`, `words("...")`, `mark("...")`, `.plural("...", "...", n)` and `_noun("...", "...")` in
Python, `_()` and `{% trans %}` in templates, and the first paragraph of each problem's docstring, which is its public
sentence.
"""

import argparse
import ast
import inspect
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tenantry"
LOCALE = SOURCE / "web" / "locale"
TEMPLATE = LOCALE / "tenantry.pot"
KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "words": None, "mark": None, "plural": (1, 2)}
KEYWORDS |= {"_noun": (1, 2)}
KEYWORDS |= {"gettext": None, "ngettext": (1, 2)}  # what `{% trans %}` becomes
# A fixed date keeps the files the same when no text has changed.
CREATED = datetime(2026, 1, 1, tzinfo=UTC)

Message = str | list[str] | tuple[str, ...]


def main(arguments: list[str] | None = None) -> int:
    """Update the catalogues, or with `--check` report what is missing. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Keep the message catalogues complete.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a text is missing")
    check = parser.parse_args(arguments).check
    found = collect(SOURCE)
    return _check(found) if check else _update(found)


def collect(source: Path) -> Catalog:
    """Every translatable text below a folder, with the files it stands in."""
    catalog = _catalog(None)
    for path in sorted(source.rglob("*")):
        place = path.relative_to(source.parent).as_posix()
        for message in _messages(path):
            catalog.add(message, locations=[(place, None)])  # type: ignore[list-item]  # Babel writes no line for None
    return catalog


def _messages(path: Path) -> Iterator[Message]:
    if path.suffix == ".py":
        yield from _extracted("python", path)
        yield from _problem_sentences(path)
    elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
        yield from _extracted("jinja2.ext:babel_extract", path)


def _extracted(method: str, path: Path) -> Iterator[Message]:
    options = {"silent": "false"}  # a template that cannot be read is an error, not a file without texts
    for _line, message, _comments, _context in extract_from_file(method, path, keywords=KEYWORDS, options=options):
        if message:
            yield message


def _problem_sentences(path: Path) -> Iterator[str]:
    """The docstrings of classes that have a `code` and are derived from something: our `Problem` classes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.bases and "code" in set(_assigned(node)):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _assigned(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant | ast.Tuple):
            for target in statement.targets:
                yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))


def _update(found: Catalog) -> int:
    LOCALE.mkdir(parents=True, exist_ok=True)
    _write(TEMPLATE, found)
    for path in _catalogues():
        catalog = _read(path)
        catalog.update(found, no_fuzzy_matching=True, update_creation_date=False)
        _write(path, catalog)
        print(f"{path.parent.parent.name}: {len(_open(catalog))} of {len(catalog)} texts not translated")
    return 0


def _check(found: Catalog) -> int:
    failed = False
    for path in (TEMPLATE, *_catalogues()):
        catalog = _read(path)
        known = {message.id for message in catalog if message.id}
        missing = [message.id for message in found if message.id and message.id not in known]
        for text in missing:
            print(f"{path.relative_to(ROOT)}: missing {text!r}", file=sys.stderr)
        failed = failed or bool(missing)
    if failed:
        print("run: python scripts/messages.py", file=sys.stderr)
    return int(failed)


def _open(catalog: Catalog) -> list[Message]:
    return [message.id for message in catalog if message.id and not _is_translated(message.string)]


def _is_translated(string: object) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


def _catalogues() -> list[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/tenantry.po"))


def _catalog(locale: str | None) -> Catalog:
    return Catalog(
        locale=locale,
        domain="tenantry",
        project="tenantry",
        version="1",
        creation_date=CREATED,
        revision_date=CREATED,
        copyright_holder="The Tenantry developers",
        last_translator="The Tenantry developers",
        header_comment="# Texts of Tenantry.\n#",
        language_team="The Tenantry developers",
        msgid_bugs_address="none",
        fuzzy=False,
    )


def _read(path: Path) -> Catalog:
    if not path.exists():
        return _catalog(None)
    locale = None if path == TEMPLATE else path.parent.parent.name
    with path.open("rb") as file:
        return read_po(file, locale=locale, domain="tenantry")


def _write(path: Path, catalog: Catalog) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=118, sort_by_file=True, ignore_obsolete=True, include_lineno=False)


if __name__ == "__main__":
    sys.exit(main())
