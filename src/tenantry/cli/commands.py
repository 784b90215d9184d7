"""The table of commands, and what becomes of a command that fails."""

import sys
from collections.abc import Sequence
from typing import Annotated, ClassVar

import typer
from typer.exceptions import TyperException
from typer.main import get_command

import tenantry

from .failures import Failure, Refused
from .lazy import LazyGroup
from .output import say, show_findings, wrong


class Commands(LazyGroup):
    """Everything `tenantry` can do."""

    lines: ClassVar = {
        "new": "Make a folder with a product to start from.",
        "run": "Serve a product: pages and API.",
        "check": "Say everything that is wrong with a product and the settings.",
        "doctor": "Look into the database: what is wrong with it, and its figures.",
        "seed": "Put demo data into a development database.",
        "db": "Make, migrate and inspect the database.",
        "openapi": "Print the description of the API.",
        "jobs": "Run and inspect background jobs.",
        "keys": "Make API keys for your own services.",
        "plans": "Give people plans by hand.",
        "admin": "Make people operators, who look after the product.",
        "billing": "Bring billing in line with the providers, and look at their events.",
    }


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    rich_markup_mode="rich",
    help="The backend a SaaS product stands on. Start with `tenantry new NAME`.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer hands an option's value over like this
    if wanted:
        say(f"tenantry {tenantry.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line of this process and end it with the status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; answers its status: 0 done, 1 refused or failed, 2 wrongly called, 130 interrupted."""
    try:
        answer = get_command(app).main(list(arguments) or ["--help"], "tenantry", standalone_mode=False)
    except Refused as refused:
        show_findings(refused.findings)
        return refused.exit_code
    except Failure as failure:
        wrong(failure.message, failure.fix)
        return failure.exit_code
    except TyperException as misuse:
        path = getattr(getattr(misuse, "ctx", None), "command_path", "tenantry")
        wrong(misuse.format_message(), f"See `{path} --help`.")
        return misuse.exit_code
    except typer.Abort:
        wrong("Nothing was done.")
        return 1
    return answer if isinstance(answer, int) else 0
