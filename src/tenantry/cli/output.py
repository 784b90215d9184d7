"""What commands print: answers on standard output, what is wrong on standard error."""

import json
from collections.abc import Collection, Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape

from tenantry.product import Finding


def say(text: str = "") -> None:
    """Print a line of an answer; Rich's markup is understood, so foreign words go through `rich.markup.escape`."""
    _console().print(text, soft_wrap=True, highlight=False)


def plain(text: str) -> None:
    """Print text as it is."""
    _console().print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)


def as_json(answer: Any) -> None:
    """Print one JSON document, for scripts."""
    print(json.dumps(answer, indent=2, ensure_ascii=False, default=str))  # noqa: T201 - a document, not a message


def note(text: str) -> None:
    """Print a line about what happens meanwhile, on standard error, where no script reads it as the answer."""
    _console(stderr=True).print(text, soft_wrap=True, highlight=False)


def wrong(problem: str, fix: str = "") -> None:
    """Print what is wrong, and in a second line what to do."""
    console = _console(stderr=True)
    console.print(f"[bold red]error:[/] {escape(problem)}", soft_wrap=True, highlight=False)
    if fix:
        console.print(f"       {escape(fix)}", soft_wrap=True, highlight=False)


def show_findings(findings: Iterable[Finding]) -> None:
    """Print findings, errors first, each with its fix in a second line."""
    console = _console(stderr=True)
    for one in sorted(findings, key=lambda finding: finding.level != "error"):
        colour, margin = ("red", " " * 7) if one.level == "error" else ("yellow", " " * 9)
        head = f"[bold {colour}]{one.level}:[/] [bold]{escape(one.where)}[/]: {escape(one.problem)}"
        console.print(head, soft_wrap=True, highlight=False)
        console.print(f"{margin}{escape(one.fix)}", soft_wrap=True, highlight=False)


def summary(name: str, findings: Collection[Finding]) -> str:
    """How many findings there are, in a sentence."""
    if not findings:
        return f"{name}: nothing to complain about."
    errors = sum(one.level == "error" for one in findings)
    return f"{name}: {_counted(errors, 'error')}, {_counted(len(findings) - errors, 'warning')}."


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _console(*, stderr: bool = False) -> Console:
    # Made when used: the streams may have been replaced since this module was loaded.
    return Console(stderr=stderr)
