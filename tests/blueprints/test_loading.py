"""A declaration in a file: found, or a clear word about why not."""

import sys
from pathlib import Path

import pytest

from tenantry.blueprints import ProductNotLoaded, load, load_product
from tenantry.product import Finding

PRODUCT = 'Product("Shop", sign_in=[Google()], plans=[Plan("free", price=0)])'
HEAD = "from tenantry import Google, Plan, Product\n"


def written(folder: Path, text: str, name: str = "declared.py") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def refused(path: str) -> Finding:
    with pytest.raises(ProductNotLoaded) as caught:
        load_product(path)
    finding = caught.value.finding
    assert str(caught.value) == f"{finding.where}: {finding.problem} {finding.fix}"
    return finding


def test_a_blueprint_by_name() -> None:
    assert load_product("crypto_data") is load("crypto_data")
    assert refused("crypto_dta").fix == 'Did you mean "crypto_data"?'


@pytest.mark.parametrize(
    "text",
    [
        f"product = {PRODUCT}",
        f"shop = {PRODUCT}",
        f"shop = {PRODUCT}\nagain = shop",
        f"base = Product('Base')\nproduct = {PRODUCT}",
        f"product = 5\nshop = {PRODUCT}",
    ],
    ids=["product", "the only one", "one with two names", "product among two", "product is something else"],
)
def test_the_one_product_of_a_file(tmp_path: Path, text: str) -> None:
    assert load_product(written(tmp_path, HEAD + text)).name == "Shop"


def test_a_file_may_import_what_lies_beside_it_and_leaves_the_path_as_it_was(tmp_path: Path) -> None:
    written(tmp_path, f"{HEAD}made = {PRODUCT}", "beside_the_declaration.py")
    before = list(sys.path)
    assert load_product(written(tmp_path, "from beside_the_declaration import made as product")).name == "Shop"
    assert sys.path == before


def test_two_files_of_one_name_do_not_mix(tmp_path: Path) -> None:
    for name in ("One", "Two"):
        (tmp_path / name).mkdir()
        path = written(tmp_path / name, f"{HEAD}product = Product({name!r})")
        assert load_product(path).name == name


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, f"{HEAD}product = {PRODUCT}")
    monkeypatch.chdir(tmp_path)
    assert load_product("declared.py").name == "Shop"


def test_no_such_file(tmp_path: Path) -> None:
    path = str(tmp_path / "nothing.py")
    assert refused(path) == Finding(
        "error", path, "There is no such file.", "Check the path, or run `tenantry new`."
    )  # fmt: skip


def test_no_product(tmp_path: Path) -> None:
    assert refused(written(tmp_path, HEAD)).problem == "It declares no Product."
    problem = refused(written(tmp_path, "product = {}", "other.py")).problem
    assert problem == "`product` is a dict, and nothing else there is a Product."


def test_two_products(tmp_path: Path) -> None:
    finding = refused(written(tmp_path, f"{HEAD}one = {PRODUCT}\ntwo = Product('Two')"))
    assert finding.problem == "It declares 2 Products: one, two."
    assert finding.fix == "Call the one meant `product`."


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("\nproduct = Product(", 2, "SyntaxError: '(' was never closed."),
        (f"{HEAD}\nproduct = Prodct()", 3, "NameError: name 'Prodct' is not defined."),
        (f"{HEAD}product = Product('x', plans=['free'])", 2, "TypeError: Product: plans[0] must be Plan, not str."),
        ("def fail():\n    raise ValueError\nfail()", 2, "ValueError."),
        ("import no_such_module_here", 1, "ModuleNotFoundError: No module named 'no_such_module_here'."),
        ("import sys\nsys.exit(3)", 2, "SystemExit: 3."),
    ],
)
def test_a_file_that_fails_is_told_with_its_line_and_no_stack(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = written(tmp_path, text)
    finding = refused(path)
    assert (finding.where, finding.problem) == (f"{path}:{line}", problem)
    assert not [name for name in sys.modules if name.startswith("tenantry_declaration_declared")
                and getattr(sys.modules[name], "__file__", None) == path]  # fmt: skip
