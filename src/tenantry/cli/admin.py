"""`tenantry admin`: who looks after the product and the people in it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from msgspec import to_builtins

from tenantry.identity.operating import Appointed, appoint, dismiss, forget_factors, operators
from tenantry.kernel import Context, Problem
from tenantry.kernel.context import system_context
from tenantry.product import MagicLink, Passkey, Password, Product

from .declaration import DEFAULT, ProductArgument, read_ready
from .failures import Failure
from .output import as_json, plain
from .preparing import running

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
T = TypeVar("T")
JSON = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address.")]


@app.callback()
def _admin() -> None:
    """Make people operators, who look after the product on the pages under /admin; help who lost a second factor."""


@app.command("create")
def create(
    email: Email,
    product: ProductArgument = DEFAULT,
    *,
    name: Annotated[str | None, typer.Option(help="The name of a person who is not there yet.")] = None,
    password: Annotated[
        bool,
        typer.Option("--password-stdin", help="Give them a password: the first line of the input, or asked for."),
    ] = False,
    json: JSON = False,
) -> None:
    """Make a person an operator; who is not there yet is made, and counts as having proven the address.

    Run again, nothing changes. A password, where the product takes one, takes the place of an older one and ends their
    sessions; without it they come in as they did, or by what the answer names.
    """
    declared, _ = read_ready(product)
    if password and declared.way_in(Password) is None:
        raise Failure("This product takes no passwords.", "Leave it out; the answer says how they come in.")
    text = _password() if password else None

    async def make(ctx: Context) -> tuple[Appointed, list[str]]:
        return await appoint(ctx, email, name=name, password=text, reason="tenantry admin create"), [
            f"{ctx.settings.public_url}/signin",
            f"{ctx.settings.public_url}/admin",
        ]

    made, (sign_in, pages) = _run(product, make)
    ways = _ways(declared, has_password=text is not None)
    if json:
        as_json({**to_builtins(made), "role": "ADMIN", "sign_in": sign_in, "ways": ways, "pages": pages})
        return
    if made.was == "ADMIN":
        plain(f"{made.email} is an operator already.")
    else:
        plain(f"{made.email} is {'there, and ' if made.is_new else ''}an operator now.")
    plain(f"They sign in at {sign_in}: {', or '.join(ways)}. Operators work at {pages}.")


@app.command("list")
def list_operators(product: ProductArgument = DEFAULT, *, json: JSON = False) -> None:
    """Show who is an operator."""
    found = _run(product, operators)
    if json:
        shown = [{"id": one.id, "email": one.email, "name": one.name, "banned": one.role == "BANNED"} for one in found]
        as_json({"items": shown})
        return
    for one in found:
        plain(f"{one.email}  {one.name or '-'}{'  (banned)' if one.role == 'BANNED' else ''}")
    if not found:
        plain("Nobody is an operator yet. Make one: tenantry admin create EMAIL")


@app.command("remove")
def remove(
    email: Email,
    product: ProductArgument = DEFAULT,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "tenantry admin remove",
    json: JSON = False,
) -> None:
    """Make an operator a person like everybody; the last one stays. Their account and what they have paid for stay."""
    was_one = _run(product, lambda ctx: dismiss(ctx, email, reason=reason))
    if json:
        as_json({"email": email, "changed": was_one})
    else:
        plain(f"{email} is {'no operator any more' if was_one else 'no operator'}.")


@app.command("forget-factors")
def forget_lost_factors(
    email: Email,
    product: ProductArgument = DEFAULT,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "tenantry admin forget-factors",
    json: JSON = False,
) -> None:
    """Take all second factors of a person away who lost them and their recovery codes; make sure first that it is them.

    They are signed out everywhere and told by mail. They sign in without a second proof then, and can set one up anew.
    """
    had = _run(product, lambda ctx: forget_factors(ctx, email, reason=reason))
    if json:
        as_json({"email": email, **to_builtins(had)})
    else:
        plain(f"{email} signs in without a second proof from now on, and was told so by mail.")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    found: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return found


def _ways(product: Product, *, has_password: bool) -> list[str]:
    """How somebody can come in who has an address, and perhaps a password, but has never been here."""
    found = []
    if product.way_in(Password) is not None:
        found.append("with their password" if has_password else "with a password, after «Forgot your password?» there")
    if product.way_in(MagicLink) is not None:
        found.append("with a link by mail")
    others = [one for one in product.sign_in if not isinstance(one, MagicLink | Passkey | Password)]
    return [*found, *(f"with {getattr(one, 'label', '') or one.name} and the same address" for one in others)]


def _run(product: str, what: Callable[[Context], Awaitable[T]]) -> T:
    declared, settings = read_ready(product)

    async def act() -> T:
        async with running(declared, settings) as runtime:
            return await what(system_context(runtime))

    try:
        return asyncio.run(act())
    except Problem as problem:
        raise Failure(problem.detail or problem.title, "Nothing was changed.") from problem
    except ValueError as error:
        raise Failure(f"{error}.", "Nothing was changed.") from error
