"""Python in the documents compiles, and the product in README.md is one."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

from house.rules.tracked import tracked_files
from house.rules.tree import ROOT
from tenantry import Product

BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[str]:
    return [textwrap.dedent(found[2]) for found in BLOCK.finditer(text)]


def broken(text: str) -> list[str]:
    """Blocks that are no Python; a piece of a coroutine counts as one."""
    found = []
    for block in blocks(text):
        try:
            ast.parse("async def piece():\n" + textwrap.indent(block, "    ") + "\n    pass")
        except SyntaxError as error:
            found.append(f"{error.msg}: {block[:60]}")
    return found


def findings_of(text: str) -> list[str]:
    """What is wrong with the first product that a document declares; refuses a document without one."""
    for block in blocks(text):
        if "Product(" in block:
            names: dict[str, object] = {}
            exec(compile(block, "README.md", "exec"), names)
            (product,) = [value for value in names.values() if isinstance(value, Product)]
            return [str(finding) for finding in product.check()]
    raise AssertionError("no product in the document")


def documents() -> list[Path]:
    return [path for path in tracked_files(ROOT) if path.suffix == ".md"]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_in_documents_compiles(path):
    assert broken(path.read_text(encoding="utf-8")) == []


def test_the_product_in_the_readme_is_one():
    assert findings_of((ROOT / "README.md").read_text(encoding="utf-8")) == []


def test_broken_python_and_a_broken_product_are_found():
    assert len(broken("```python\nx = (\n```\n\n  ```python\n  return await x\n  ```\n")) == 1
    declared = "from tenantry import Plan, Product\nproduct = Product('Acme', sign_in=[], plans=[])"
    assert findings_of(f"# Acme\n```python\n{declared}\n```\n")
    with pytest.raises(AssertionError, match="no product"):
        findings_of("# Acme\n```console\n$ make run\n```\n")
