"""`tenantry keys`: API keys that only an operator makes."""

import asyncio
from typing import Annotated

import typer

from tenantry.kernel import Problem
from tenantry.kernel.context import system_context
from tenantry.keys import NewKey
from tenantry.keys.service_keys import issue_for

from .declaration import DEFAULT, ProductArgument, read_ready
from .failures import Failure
from .output import as_json, note, plain
from .preparing import running

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Make API keys for your own services."""


@app.command("issue")
def issue_key(
    whom: Annotated[
        str,
        typer.Argument(
            metavar="EMAIL",
            help="Whose key it is: somebody who has signed in. Where organizations hold plans: the first one that they "
            "own, or an organization's id in its place.",
        ),
    ],
    product: ProductArgument = DEFAULT,
    *,
    label: Annotated[str, typer.Option(help="What the person sees in the list of their keys.")] = "service",
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, more than once; `authorize` asks about any key.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Make an API key, also one with the scope `authorize`, for services that call `POST /v1/authorize`.

    The secret is printed once and is nowhere else. The person sees the key among theirs and can revoke it.
    """
    declared, settings = read_ready(product)
    if declared.keys is None:
        raise Failure("This product has no API keys.", "Declare them: Product(..., keys=Keys()).")

    async def make() -> NewKey:
        async with running(declared, settings) as runtime:
            return await issue_for(system_context(runtime), whom, label=label, scopes=scope or [])

    try:
        made = asyncio.run(make())
    except Problem as problem:
        raise Failure(problem.detail or problem.title, "Nothing was made.") from problem
    if json:
        as_json({"id": str(made.key.id), "secret": made.secret, "scopes": made.key.scopes})
        return
    plain(made.secret)
    note(f"Key {made.key.id} of {whom}. This is the only time that it is shown.")
