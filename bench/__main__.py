"""`python -m bench [name ...]`: run `bench/bench_*.py` and print one table a module.

A module has `async def run() -> list[Row]`. Without names all run, in alphabetical order.
"""

import asyncio
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

import bench
from bench.measure import Row

_PREFIX = "bench_"


def names() -> list[str]:
    """The benches there are: module names without the prefix."""
    found = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return sorted(name.removeprefix(_PREFIX) for name in found if name.startswith(_PREFIX))


def table(title: str, rows: Sequence[Row]) -> Table:
    """The report of one module: every value beside its limit, the ratio and the ratio we want."""
    made = Table(title=title, title_justify="left")
    for column in ("what", "value", "unit", "bare limit", "limit", "ratio", "target"):
        made.add_column(column, justify="right" if column in {"value", "limit", "ratio"} else "left")
    for row in rows:
        made.add_row(
            row.name,
            f"{row.value:,.1f}",
            row.unit,
            row.limit_name,
            "" if row.limit_value is None else f"{row.limit_value:,.1f}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.target,
        )
    return made


def main(wanted: Sequence[str]) -> int:
    """Run the wanted benches. Returns 2 when a name is unknown."""
    known, console = names(), Console()
    if unknown := sorted(set(wanted) - set(known)):
        console.print(f"No bench called {', '.join(unknown)}. There are: {', '.join(known) or 'none yet'}.")
        return 2
    for name in wanted or known:
        module = importlib.import_module(f"bench.{_PREFIX}{name}")
        console.print(table(name, asyncio.run(module.run())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
