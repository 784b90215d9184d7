"""`import tenantry` is cheap: the declaration types, and nothing that a declaration does not need."""

import subprocess
import sys

import pytest

import tenantry

HEAVY = ("fastapi", "starlette", "sqlalchemy", "pydantic", "msgspec", "asyncpg", "httpx2", "jinja2", "typer")


def loaded_after(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("statement", ["import tenantry", "import tenantry.product", "from tenantry import Product"])
def test_reading_a_declaration_loads_no_framework_and_no_driver(statement: str) -> None:
    loaded = loaded_after(statement)
    assert not loaded.intersection(HEAVY)
    standard = {name for name in loaded if name.partition(".")[0] in {*sys.stdlib_module_names, "__main__"}}
    others = {name for name in loaded - standard if not name.startswith(("tenantry", "_", "sitecustomize"))}
    assert others <= loaded_after("pass")


def test_the_front_door_is_small_and_every_name_is_there() -> None:
    assert len(tenantry.__all__) <= 35
    assert set(tenantry.__all__) <= set(dir(tenantry))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tenantry.nothing  # noqa: B018 - looked up for its error


@pytest.mark.parametrize("name", tenantry.__all__)
def test_every_name_of_the_front_door_loads(name: str) -> None:
    assert hasattr(tenantry, name)


def test_the_version_is_that_of_the_installed_package() -> None:
    assert tenantry.__version__[0].isdigit()
