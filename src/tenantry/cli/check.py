"""`tenantry check`: everything that is wrong, at once."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from tenantry.operations import Comparison, compare_stored_plans

from .declaration import DEFAULT, ProductArgument, find_everything
from .environment import read_environment
from .output import as_json, plain, show_findings, summary

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def check(
    product: ProductArgument = DEFAULT,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Say everything that is wrong with a product and the settings. No database is needed.

    If one is there and answers, the plans it holds are compared with the declared ones; `tenantry doctor` looks
    into all of it. Ends with status 1 when there is an error; warnings alone are status 0.
    """
    read, findings = find_everything(product, read_environment())
    stored = asyncio.run(compare_stored_plans(*read)) if read else Comparison(skipped="something cannot be read")
    findings += stored.findings
    errors = any(one.level == "error" for one in findings)
    if json:
        answer = {
            "ok": not errors,
            "product": read and read[0].name,
            "findings": [asdict(one) for one in findings],
            "stored_plans": {"compared": not stored.skipped, "skipped": stored.skipped or None},
        }
        as_json(answer)
    else:
        show_findings(findings)
        plain(summary(read[0].name if read else product, findings))
        if stored.skipped:
            plain(f"Stored plans were not compared: {stored.skipped}. `tenantry doctor` looks into the database.")
    raise typer.Exit(1 if errors else 0)
