"""`tenantry check`: everything that is wrong, at once."""

from dataclasses import asdict
from typing import Annotated

import typer

from .declaration import DEFAULT, ProductArgument, find_everything
from .environment import read_environment
from .output import as_json, plain, show_findings

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def check(
    product: ProductArgument = DEFAULT,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Say everything that is wrong with a product and the settings. No database is needed.

    Ends with status 1 when there is an error; warnings alone are status 0.
    """
    declared, findings = find_everything(product, read_environment())
    errors = sum(one.level == "error" for one in findings)
    if json:
        answer = {
            "ok": not errors,
            "product": declared and declared.name,
            "findings": [asdict(one) for one in findings],
        }
        as_json(answer)
    else:
        show_findings(findings)
        plain(_summary(declared.name if declared else product, errors, len(findings) - errors))
    raise typer.Exit(1 if errors else 0)


def _summary(name: str, errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return f"{name}: nothing to complain about."
    return f"{name}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}."


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
