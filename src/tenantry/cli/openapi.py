"""`tenantry openapi`: the description of the API, for generating types and clients."""

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from tenantry.app import StartRefused, create_app
from tenantry.kernel import Settings

from .declaration import DEFAULT, ProductArgument, read_product
from .failures import Failure, Refused
from .output import note

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def openapi(
    product: ProductArgument = DEFAULT,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to a file instead of printing.")
    ] = None,
) -> None:
    """Print the OpenAPI document of a product. Neither settings nor a database are needed."""
    # A key of its own, so that none is made in var/ for a command that keeps nothing.
    settings = Settings(secret_keys=(SecretStr(secrets.token_urlsafe(48)),))
    try:
        document = create_app(read_product(product), settings).openapi()
    except StartRefused as refused:
        raise Refused(refused.findings) from refused
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.", "Name another file in --out.") from error
    note(f"Wrote {out}.")
