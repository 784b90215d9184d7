"""`tenantry new`: a folder to start from, and nothing overwritten."""

import pytest

from tenantry.blueprints import load_product


def test_makes_a_product_that_loads_and_names_the_next_command(tenantry, empty_folder):
    answer = tenantry("new", "my-shop")
    assert answer.status == 0
    assert answer.out.endswith("Next:\n  cd my-shop\n  tenantry run\n")
    made = {path.name for path in (empty_folder / "my-shop").iterdir()}
    assert made == {"product.py", ".env.example", ".gitignore", "README.md"}

    source = empty_folder / "my-shop/product.py"
    assert len(source.read_text().splitlines()) <= 15
    product = load_product(str(source))
    assert product.name == "My Shop"
    assert product.check() == []


def test_the_example_of_settings_is_a_file_of_settings(tenantry, empty_folder, monkeypatch):
    tenantry("new", "shop")
    example = (empty_folder / "shop/.env.example").read_text()
    monkeypatch.chdir(empty_folder / "shop")
    wanted = example.replace("#TENANTRY", "TENANTRY")
    (empty_folder / "shop/.env").write_text(example)
    assert tenantry("check").status == 0
    (empty_folder / "shop/.env").write_text(wanted)
    assert "There is no such setting" not in tenantry("check").err


@pytest.mark.parametrize("name", ["shop", "inside/deeper/shop"])
def test_refuses_a_folder_that_holds_something(name, tenantry, empty_folder):
    assert tenantry("new", name).status == 0
    (empty_folder / name / "product.py").write_text("mine")
    answer = tenantry("new", name)
    assert answer.status == 1
    assert "is there already" in answer.err
    assert (empty_folder / name / "product.py").read_text() == "mine"


def test_an_empty_folder_is_used(tenantry, empty_folder):
    (empty_folder / "shop").mkdir()
    assert tenantry("new", "shop").status == 0


@pytest.mark.parametrize("name", ["", ".", "..", "+++", "a\nb"])
def test_refuses_what_is_no_name(name, tenantry, empty_folder):
    answer = tenantry("new", name)
    assert answer.status == 1
    assert "Traceback" not in answer.err
    assert list(empty_folder.iterdir()) == []


def test_a_name_with_quotes_and_braces_makes_a_product_all_the_same(tenantry, empty_folder):
    assert tenantry("new", 'a"{b}').status == 0
    assert load_product(str(empty_folder / 'a"{b}/product.py')).name == "A B"


def test_a_place_that_cannot_be_written_is_told(tenantry, empty_folder):
    (empty_folder / "file").write_text("")
    answer = tenantry("new", "file/shop")
    assert answer.status == 1
    assert "cannot be written" in answer.err
