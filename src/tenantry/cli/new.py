"""`tenantry new`: a folder with everything a product starts from."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from .failures import Failure
from .output import plain
from .starter import files

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def new(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The product's name, or a path that ends with it: `shop`, `work/shop`."),
    ],
) -> None:
    """Make a folder with product.py, .env.example, .gitignore and README.md. Nothing that exists is overwritten."""
    folder = Path(name)
    title = _title(folder.name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failure(f"{folder} is there already.", "Choose another name, or an empty folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files(title).items():
            # "x": what somebody else makes in this moment is not overwritten either.
            with (folder / file).open("x", encoding="utf-8") as out:
                out.write(text)
    except OSError as error:
        raise Failure(
            f"{error.filename or folder} cannot be written: {error.strerror}.", "Choose another place."
        ) from error
    plain(f"Made {folder}: {', '.join(files(title))}.\n\nNext:\n  cd {shlex.quote(str(folder))}\n  tenantry run")


def _title(name: str) -> str:
    words = re.findall(r"\w+", name)
    if not words or any(not character.isprintable() for character in name):
        raise Failure(f"A product cannot be called {name!r}.", "Use letters, digits and hyphens, such as `my-shop`.")
    return " ".join(word if word != word.lower() else word.capitalize() for word in words)
