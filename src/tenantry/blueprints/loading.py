"""Finding a declaration: a ready one by name, or the one in a Python file."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from tenantry.product import Finding, Product, nearest

NAMES: Final = ("crypto_data", "screening_api", "token_membership")
"""The ready declarations, one file each in this folder."""
EXTRAS: Final = {"screening_api": "screening"}
"""What must be installed with them, where the package alone is not enough."""


class ProductNotLoaded(Exception):
    """No declaration could be read. `finding` says where, why and what to do; the message is the same in a line."""

    def __init__(self, where: str, problem: str, fix: str) -> None:
        self.finding = Finding("error", where, problem, fix)
        super().__init__(f"{where}: {problem} {fix}")


def load(name: str) -> Product:
    """The ready declaration called `name`, one of NAMES; ProductNotLoaded, with the nearest name, for another."""
    if name not in NAMES:
        near = nearest(name, NAMES)
        fix = f'Did you mean "{near}"?' if near else f"There are: {', '.join(NAMES)}; a file's name ends with .py."
        raise ProductNotLoaded(name, "There is no such blueprint.", fix)
    try:
        product = import_module(f"{__package__}.{name}").product
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tenantry"):
            raise
        problem, fix = f"It needs {error.name}, which is not installed.", f'Install "tenantry[{EXTRAS[name]}]".'
        raise ProductNotLoaded(name, problem, fix) from error
    if not isinstance(product, Product):
        raise TypeError(f"blueprint {name} declares no product")
    return product


def load_product(path_or_blueprint: str) -> Product:
    """The declaration in a Python file (`shop/product.py`), or a ready one by its name (`crypto_data`).

    The file is run once. It declares one Product, called `product` if it holds several; it may import what lies
    beside it. Raises ProductNotLoaded: no such file, a file that fails (told with its line), no Product, several.
    """
    if not path_or_blueprint.endswith(".py"):
        return load(path_or_blueprint)
    path = Path(path_or_blueprint)
    if not path.is_file():
        raise ProductNotLoaded(path_or_blueprint, "There is no such file.", "Check the path, or run `tenantry new`.")
    return _only_product(path, _run(path))


class _Source(SourceFileLoader):
    """Reads the file itself each time: one that is changed twice within a second may look to Python as before."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _run(path: Path) -> ModuleType:
    # Named after its place, so that two files called product.py do not mix.
    name = f"tenantry_declaration_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path, loader=_Source(name, str(path)))
    if spec is None or spec.loader is None:
        raise ProductNotLoaded(str(path), "It cannot be read as Python.", "Name a Python file.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _neighbours(path.resolve().parent):
            spec.loader.exec_module(module)
    # A declaration that calls sys.exit() fails as one that raises does.
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ProductNotLoaded(_place(path, error), _message(error), "Correct the file.") from error
    return module


def _only_product(path: Path, module: ModuleType) -> Product:
    named = getattr(module, "product", None)
    if isinstance(named, Product):
        return named
    found = {id(value): name for name, value in vars(module).items() if isinstance(value, Product)}
    if not found:
        problem = "It declares no Product."
        if named is not None:
            problem = f"`product` is {_article(type(named).__name__)}, and nothing else there is a Product."
        raise ProductNotLoaded(str(path), problem, 'Write product = Product("...", ...) at the top level.')
    if len(found) > 1:
        raise ProductNotLoaded(
            str(path),
            f"It declares {len(found)} Products: {', '.join(found.values())}.",
            "Call the one meant `product`.",
        )
    product: Product = getattr(module, next(iter(found.values())))
    return product


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    # At the end, so that a neighbour called like a library never stands in for it.
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _place(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    steps = traceback.extract_tb(error.__traceback__)
    inside = [step.lineno for step in steps if Path(step.filename).resolve() == path.resolve()]
    return f"{path}:{inside[-1]}" if inside else str(path)


def _message(error: BaseException) -> str:
    text = (error.msg if isinstance(error, SyntaxError) else str(error)).strip()
    return f"{type(error).__name__}: {text}." if text else f"{type(error).__name__}."


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0].lower() in "aeiou" else f"a {noun}"
