"""docs/requirements.md is complete, and what it names exists."""

from pathlib import Path

import pytest

from house.rules.requirements import incomplete, required, rows
from house.rules.tree import ROOT, plant, unexcused

PAGE = ROOT / "docs" / "requirements.md"


def test_every_requirement_has_a_row_and_every_named_test_exists():
    assert unexcused(incomplete(PAGE.read_text(encoding="utf-8"), ROOT), {}) == []


def table(**changed: str) -> str:
    lines = {name: f"| {name} | open | open |" for name in sorted(required())}
    return "\n".join((lines | {name.replace("_", "-"): row for name, row in changed.items()}).values())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"src/tenantry/room/models.py": "class Homes: ...", "tests/room/test_homes.py": "def test_a_home(): ..."}
    return plant(tmp_path, files)


def test_a_good_table_passes(project):
    row = "| C-01 | `room`, `room/models.py:Homes` | `room/test_homes.py::test_a_home` |"
    assert list(incomplete(table(C_01=row), project)) == []
    assert len(rows(table())) == len(required())


@pytest.mark.parametrize(
    "row",
    [
        "",
        "| C-99 | open | open |",
        "| C-01 | open | open |\n| C-01 | open | open |",
        "| C-01 | open | `room/test_homes.py::test_a_home` |",
        "| C-01 | `room` | open |",
        "| C-01 | `room` | soon |",
        "| C-01 | the room | `room/test_homes.py::test_a_home` |",
        "| C-01 | `elsewhere` | `room/test_homes.py::test_a_home` |",
        "| C-01 | `room/models.py:Gardens` | `room/test_homes.py::test_a_home` |",
        "| C-01 | `room` | `room/test_homes.py::test_a_garden` |",
        "| C-01 | `room` | `room/test_gardens.py::test_a_home` |",
    ],
)
def test_a_row_that_is_not_in_order_is_found(project, row):
    assert list(incomplete(table(C_01=row), project))
