"""docs/cli.md is written from the commands: `python tests/house/test_docs_cli.py` writes it anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from tenantry.cli.commands import app
from tenantry.cli.lazy import LazyGroup

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
HEAD = """\
# Commands

PRODUCT is a Python file or the name of a blueprint; left out, it is `product.py` in the working folder. Settings come
from the environment, and from a file `.env` in the working folder for what the environment leaves open; `settings.md`
lists them. Answers go to standard output, everything else to standard error. Status 0: done; 1: refused or failed, with
a line that says why and one that says what to do; 2: wrongly called; 130: interrupted.

The first day:

    tenantry new shop
    cd shop
    tenantry run

PostgreSQL, from an address that may make databases and roles:

    export TENANTRY_OWNER_URL=postgresql://postgres:password@127.0.0.1:5432/shop
    tenantry db init --print-env > .env
    tenantry db init
    tenantry db migrate
    tenantry run
"""


def commands(path: str = "tenantry", found: Any = None) -> Iterator[tuple[str, Any]]:
    found = found or get_command(app)
    names = list(getattr(found, "commands", ()))
    if not names:
        yield path, found
    for name in names:
        yield from commands(
            f"{path} {name}", found.load(name) if isinstance(found, LazyGroup) else found.commands[name]
        )


def usage(path: str, command: Any) -> str:
    words = [path]
    for one in command.params:
        if one.param_type_name == "argument":
            words.append(one.metavar if one.required else f"[{one.metavar}]")
        elif one.name != "help":
            words.append(f"[{option(one)}]" if not one.required else option(one))
    return " ".join(words)


def option(one: Any) -> str:
    if one.is_flag:
        return "|".join([max(one.opts, key=len), *one.secondary_opts])
    return f"{max(one.opts, key=len)} {one.metavar or one.name.upper()}"


def section(path: str, command: Any) -> str:
    paragraphs = [" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")]
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    rows = [f"- `{', '.join([*one.opts, *one.secondary_opts])}`: {one.help}" for one in options]
    parts = [f"## {path}", f"    {usage(path, command)}", *paragraphs, *(["\n".join(rows)] if rows else [])]
    return "\n\n".join(parts) + "\n"


def page() -> str:
    return "\n".join([HEAD, *(section(path, command) for path, command in commands())])


def test_every_command_and_option_says_what_it_does() -> None:
    for path, command in commands():
        assert command.help, path
        assert command.help.split("\n\n")[0].rstrip().endswith("."), path
        for one in command.params:
            assert one.help, (path, one.name)
            assert one.help[0].isupper(), (path, one.name)
            assert one.help.endswith("."), (path, one.name)


def test_the_page_tells_every_command_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
