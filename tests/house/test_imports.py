"""Who may import whom: import-linter's contracts hold, and would not if somebody broke them."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from house.rules.sizes import rooms
from house.rules.tree import PACKAGE, ROOT

PROJECT = ROOT / "pyproject.toml"
OPEN_FLOORS = {"app", "blueprints", "cli", "fastapi", "migrations", "product", "testing"}
"""Floors without a protected contract: what they offer is all of them, or nothing stands above them."""


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename=sys.argv[2], no_cache=True))
"""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(PROJECT)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package again, to plant an import in."""
    shutil.copytree(PACKAGE, tmp_path / "tenantry", ignore=shutil.ignore_patterns("__pycache__", "static", "locale"))
    return tmp_path


def test_every_contract_is_kept(copy):
    outcome = lint(copy)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("kernel/ids.py", "from tenantry.holders import by_id", "Upper floors import lower ones"),
        ("usage/actions.py", "from tenantry.holders.queries import by_id", "holders: others use the door"),
        ("product/plans.py", "import pydantic", "the standard library is enough"),
        ("usage/actions.py", "import stripe", "A vendor's SDK is known to its provider only"),
        ("migrations/env.py", "import tenantry", "migrations: imports nothing of ours"),
        ("newroom/__init__.py", '"""A room without a floor."""', "Upper floors import lower ones"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy, file, line, contract):
    path = copy / "tenantry" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    outcome = lint(copy)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    report = " ".join(outcome.stdout.split())
    assert contract in report
    assert "BROKEN" in report or "Missing layers" in report or "newroom" in report


def contracts() -> dict[str, dict[str, object]]:
    found = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return {one["id"]: one for one in found}


def rooms_without_contract(folders: list[str], known: dict[str, dict[str, object]]) -> list[str]:
    return [room for room in folders if room not in OPEN_FLOORS and f"room-{room}" not in known]


def test_every_room_has_a_contract_of_its_own():
    assert rooms_without_contract(rooms(PACKAGE), contracts()) == []
    for name, contract in contracts().items():
        if name.startswith("room-") and name != "room-kernel":
            room = f"tenantry.{name.removeprefix('room-')}"
            assert contract["protected_modules"] == [f"{room}.*"]
            assert contract["allowed_importers"] == [room]


def test_a_room_without_a_contract_is_found():
    assert rooms_without_contract(["holders", "newroom"], contracts()) == ["newroom"]
