"""The list of commands is cheap, and whoever calls wrongly is told so in two lines."""

import subprocess
import sys

import pytest

from tenantry.cli.commands import Commands
from tenantry.cli.db import DbCommands

# Not pydantic: Typer itself reads options with it.
HEAVY = ("fastapi", "starlette", "sqlalchemy", "alembic", "msgspec", "asyncpg", "httpx2", "uvicorn", "structlog")


def loaded_after(statement):
    program = f"import sys\n{statement}\nprint('LOADED', *sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["db", "--help"], ["new", "--help"], ["nwe"]])
def test_help_loads_no_framework_and_no_driver(arguments):
    assert not loaded_after(f"from tenantry.cli import run; run({arguments})").intersection(HEAVY)


def test_a_server_in_production_loads_neither_the_test_kit_nor_alembic():
    loaded = loaded_after("import tenantry.cli.run, tenantry.cli.serving")
    assert not {name for name in loaded if name.startswith(("tenantry.testing", "alembic"))}


def test_help_lists_every_command_and_the_version_is_there(tenantry):
    listed = tenantry("--help")
    assert listed.status == 0
    assert all(name in listed.out for name in Commands.lines)
    assert all(name in tenantry("db", "--help").out for name in DbCommands.lines)
    assert tenantry().out == listed.out
    assert tenantry("--version").out.startswith("tenantry ")


@pytest.mark.parametrize("command", [*Commands.lines, *(f"db {name}" for name in DbCommands.lines), "jobs run"])
def test_every_command_loads_and_explains_itself(command, tenantry):
    explained = tenantry(*command.split(), "--help")
    assert explained.status == 0
    assert f"tenantry {command}" in explained.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nwe"], "'new'"),
        (["db", "migrat"], "'migrate'"),
        (["new"], "Missing argument"),
        (["run", "--port", "eighty"], "--port"),
        (["run", "--port", "70000"], "--port"),
        (["run", "--workers", "0"], "--workers"),
        (["check", "--yaml"], "--yaml"),
    ],
)
def test_whoever_calls_wrongly_is_told_in_two_lines(arguments, told, tenantry):
    answer = tenantry(*arguments)
    assert answer.status == 2
    assert answer.out == ""
    assert told in answer.err
    assert "--help" in answer.err
    assert len(answer.err.splitlines()) == 2


@pytest.mark.parametrize("name", ["new", "no_such_command"])
def test_the_collector_is_at_work_after_a_module_was_loaded(name: str) -> None:
    code = (
        "import gc, contextlib, tenantry.cli.lazy as lazy\n"
        f"with contextlib.suppress(ImportError): lazy.load_module({name!r})\n"
        "raise SystemExit(0 if gc.isenabled() else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_server_on_sqlite_starts_without_what_it_does_not_need_yet() -> None:
    later = {"asyncpg", "authlib", "joserfc", "cryptography", "aiosmtplib", "alembic"}
    code = f"import sys, tenantry.cli.run; print(sorted({later!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
