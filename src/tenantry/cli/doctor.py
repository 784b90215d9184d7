"""`tenantry doctor`: a look into the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from tenantry.operations import Sheet, examine

from .declaration import DEFAULT, ProductArgument, read_both
from .environment import read_environment
from .output import as_json, plain, show_findings, summary

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

ROWS_SHOWN = 20


@app.command()
def doctor(
    product: ProductArgument = DEFAULT,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON, with every figure.")] = False,
) -> None:
    """Look into the database: what is wrong with it, each with its way out, and its figures. Changes nothing.

    Connections and logins; the schema beside what is declared, with triggers, indexes and row level security; stored
    plans beside declared ones; dead jobs. Then the sizes of tables, the use of indexes and the ten slowest statements,
    as far as the database counts them. An SQLite file is read whole, which takes its time when it is large.

    Ends with status 1 when there is an error; warnings alone are status 0.
    """
    declared, settings = read_both(product, read_environment())
    found = asyncio.run(examine(declared, settings))
    errors = any(one.level == "error" for one in found.findings)
    if json:
        answer = {
            "ok": not errors,
            "product": declared.name,
            "database": found.database,
            "findings": [asdict(one) for one in found.findings],
            "figures": {sheet.name: _as_json(sheet) for sheet in found.sheets},
        }
        as_json(answer)
    else:
        for sheet in found.sheets:
            _show(sheet)
        show_findings(found.findings)
        plain(summary(f"{declared.name} on {found.database}", found.findings))
    raise typer.Exit(1 if errors else 0)


def _as_json(sheet: Sheet) -> dict[str, Any]:
    rows = [{name: _rfc(value) for name, value in row.items()} for row in sheet.rows]
    return {"rows": rows, "note": sheet.note or None}


def _rfc(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def _show(sheet: Sheet) -> None:
    plain(sheet.title)
    if sheet.rows:
        rows = sheet.rows[:ROWS_SHOWN]
        head = [name.replace("_", " ") for name in rows[0]]
        _show_columns([head, *([_written(name, value) for name, value in row.items()] for row in rows)])
        if more := len(sheet.rows) - len(rows):
            plain(f"  and {more} more; --json has all.")
    if sheet.note:
        plain(f"  {sheet.note}")
    plain("")


def _show_columns(lines: Sequence[Sequence[str]]) -> None:
    # The last column is as long as it is: a statement does not push the others away.
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for *cells, last in lines:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=False))
        plain("  " + "  ".join([*padded, last]))


def _written(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}Z"
    if isinstance(value, float):
        return f"{value:.2f}"
    if name.endswith("bytes") and isinstance(value, int):
        return _size(value)
    return str(value)


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
