"""What most commands begin with: the settings and the product, or everything that is wrong with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tenantry.app import check
from tenantry.blueprints import NAMES, ProductNotLoaded, load_product
from tenantry.kernel import Settings
from tenantry.kernel.database.revision import History, newest
from tenantry.kernel.module import histories_of
from tenantry.product import Finding, Product

from .environment import read_environment, read_settings
from .failures import Failure, Refused

DEFAULT = "product.py"

ProductArgument = Annotated[
    str,
    typer.Argument(metavar="PRODUCT", help=f"A .py file or a blueprint ({', '.join(NAMES)}).", show_default=True),
]


def read_product(name: str) -> Product:
    """The product in a file, or a ready one; raises Refused, or Failure when nothing was named and nothing is there."""
    if name == DEFAULT and not Path(name).is_file():
        raise Failure(
            "There is no product.py in this folder.",
            f"Name a file, or a blueprint ({', '.join(NAMES)}); `tenantry new NAME` makes one to start from.",
        )
    try:
        return load_product(name)
    except ProductNotLoaded as refused:
        raise Refused([refused.finding]) from refused


def read_histories(name: str) -> tuple[History, ...]:
    """The migrations of the product's own tables; none when no product was named and none is there."""
    if name == DEFAULT and not Path(name).is_file():
        return ()
    histories = histories_of(read_product(name).modules)
    try:
        newest(histories)
    except ValueError as error:
        raise Failure(f"{error}.", "Correct the file, or delete it if nothing has run it yet.") from error
    return histories


def read_both(name: str, environment: Mapping[str, str]) -> tuple[Product, Settings]:
    """The product and the settings; raises Refused with what is wrong with either of them."""
    found: list[Finding] = []
    product, settings = None, None
    try:
        product = read_product(name)
    except Refused as refused:
        found += refused.findings
    try:
        settings = read_settings(environment)
    except Refused as refused:
        found += refused.findings
        found += product.check() if product else ()
    if product is None or settings is None:
        raise Refused(found)
    return product, settings


def read_ready(name: str) -> tuple[Product, Settings]:
    """As `read_both` in this process's environment, with every check passed."""
    product, settings = read_both(name, read_environment())
    refuse_errors(check(product, settings))
    return product, settings


def find_everything(name: str, environment: Mapping[str, str]) -> tuple[tuple[Product, Settings] | None, list[Finding]]:
    """Product and settings, if both can be read, and all there is to say about them; nothing is raised."""
    try:
        product, settings = read_both(name, environment)
    except Refused as refused:
        return None, list(refused.findings)
    return (product, settings), check(product, settings)


def refuse_errors(findings: list[Finding]) -> None:
    """Raise Refused when a finding is an error."""
    if any(one.level == "error" for one in findings):
        raise Refused(findings)
