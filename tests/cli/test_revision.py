"""`tenantry db revision`: written from the models, in a copy of the checkout, so that the history here stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# Where PostgreSQL is on this machine; a setting it is not, so that only `revision` may see it.
POSTGRES = {name: value for name, value in os.environ.items() if name.startswith("TENANTRY_PG")}
pytestmark = pytest.mark.postgres


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and of what makes it a checkout."""
    folder = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(CHECKOUT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def tenantry_in(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", "from tenantry.cli import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONSAFEPATH": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_written_when_models_and_history_agree(copy):
    versions = copy / "src/tenantry/migrations/versions"
    before = sorted(versions.glob("*.py"))
    ran = tenantry_in(copy, "db", "revision", "-m", "Nothing", **POSTGRES)
    assert ran.returncode == 0, ran.stderr
    assert "nothing is to be written" in ran.stdout
    assert sorted(versions.glob("*.py")) == before


def test_a_new_column_becomes_a_migration_that_goes_forward_and_back(copy):
    models = copy / "src/tenantry/usage/models.py"
    source = models.read_text()
    models.write_text(
        source.replace("    leased = ", "    borrowed = column(Whole(), nullable=True)\n    leased = ", 1)
    )
    ran = tenantry_in(copy, "db", "revision", "-m", "Count what is borrowed", **POSTGRES)
    assert ran.returncode == 0, ran.stderr
    assert "Wrote " in ran.stdout
    assert 'HEAD = "0002"' in (copy / "src/tenantry/migrations/__init__.py").read_text()
    written = next((copy / "src/tenantry/migrations/versions").glob("0002*")).read_text()
    assert "borrowed" in written

    for command in (["migrate"], ["rollback", "--yes"], ["migrate"], ["current"]):
        ran = tenantry_in(copy, "db", *command)
        assert ran.returncode == 0, ran.stderr


def test_an_installed_package_is_not_written_to(copy):
    (copy / "pyproject.toml").unlink()
    ran = tenantry_in(copy, "db", "revision", "-m", "Nothing", **POSTGRES)
    assert ran.returncode == 1
    assert "an installed Tenantry's history is not written to" in ran.stderr
