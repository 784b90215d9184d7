"""`tenantry billing`: what the payment providers told, and bringing the database in line with them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from tenantry.billing import operating
from tenantry.billing.operating import Report
from tenantry.billing.revenue import MONTHS_MAX, revenue
from tenantry.kernel import Context, Problem
from tenantry.kernel.context import system_context

from .declaration import DEFAULT, ProductArgument, read_ready
from .failures import Failure
from .output import as_json, note, plain
from .preparing import running
from .revenue import revenue_document, revenue_lines

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
T = TypeVar("T")
JSON = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]
Product = ProductArgument
SHOWN_MAX = 50


@app.callback()
def _billing() -> None:
    """Payments: compare with the providers, look at their events, give purchases to their owners."""


@app.command("sync")
def sync_billing(
    product: Product = DEFAULT,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    json: JSON = False,
) -> None:
    """Compare everything at the providers with the database, say what differs, and bring the database in line.

    The server does so by itself once a day. Nothing is changed at the providers.
    """

    async def run(ctx: Context) -> list[Report]:
        found = operating.configured(ctx, provider)
        if not found:
            raise Failure(
                "No payment provider can be asked.",
                "Set its key, see docs/settings.md. A demo's is TENANTRY_DEMO_BILLING, the address that it printed.",
            )
        return [await operating.sync(ctx, one, dry_run=dry_run) for one in found]

    reports = _run(product, run)
    if json:
        as_json({"dry_run": dry_run, "providers": [_report(one) for one in reports]})
        return
    for one in reports:
        seen = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(one.seen.items()))
        plain(f"{one.provider} has {seen or 'nothing'}. {_differing(len(one.drift), dry_run=dry_run)}")
        for drift in one.drift[:SHOWN_MAX]:
            plain(f"    {drift.kind} {drift.external_id}: {drift.difference}")
        if len(one.drift) > SHOWN_MAX:
            plain(f"    and {len(one.drift) - SHOWN_MAX} more; --json lists them.")


@app.command("events")
def list_events(
    product: Product = DEFAULT,
    *,
    status: Annotated[str | None, typer.Option(help="Only those: received, waiting, done, ignored or dead.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to show.")] = 20,
    json: JSON = False,
) -> None:
    """Show what the providers told: how many events are in which state, and the newest with their ids and errors.

    A dead one has failed twelve times. `tenantry billing replay` lets it be tried again.
    """
    found, page = _run(product, lambda ctx: operating.events(ctx, status=status, limit=limit))
    if json:
        counts = [{"provider": one.provider, "status": one.status, "count": one.count} for one in found]
        as_json({"counts": counts, "items": [_event(one) for one in page]})
        return
    for one in sorted(found, key=lambda one: (one.provider, one.status)):
        plain(f"{one.provider}: {one.status} {one.count}")
    for each in page:
        plain(f"{each.id}  {each.provider}  {each.event}  {each.object_id or '-'}  {each.status}")
        if each.last_error:
            plain(f"    after {each.attempts} attempts: {each.last_error}")
    if not page:
        plain("No such events." if status else "No provider has told of anything yet.")


@app.command("replay")
def replay_event(
    event: Annotated[
        UUID | None, typer.Argument(metavar="[ID]", help="An event's id, as `tenantry billing events` shows it.")
    ] = None,
    product: Annotated[str, typer.Option(help="The product: a Python file or a blueprint.")] = DEFAULT,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="All dead ones.")] = False,
    json: JSON = False,
) -> None:
    """Work on an event again, whatever became of it: what it is about is read from the provider once more."""
    if (event is None) != dead:
        raise Failure("Name one event, or say --dead.", "See `tenantry billing events --status dead`.")

    async def run(ctx: Context) -> int:
        return await operating.replay_dead(ctx) if event is None else int(await operating.replay(ctx, event))

    count = _run(product, run)
    if event is not None and not count:
        raise Failure(f"There is no event {event} that could be replayed.", "See `tenantry billing events`.")
    if json:
        as_json({"replayed": count})
    else:
        plain(f"{count} will be worked on again by the server, or by `tenantry jobs run`.")


@app.command("unlinked")
def list_unlinked(product: Product = DEFAULT, *, json: JSON = False) -> None:
    """Show purchases without an owner: made outside of this product, with an address that nobody here has proven."""
    found = _run(product, operating.unlinked)
    if json:
        keys = ("id", "provider", "external_id", "customer", "email", "plan", "status")
        as_json({"items": [{key: _text(getattr(one, key)) for key in keys} for one in found]})
        return
    for one in found:
        plain(f"{one.id}  {one.provider}  {one.external_id}  {one.plan or '-'}  {one.status}  {one.email or '-'}")
    if not found:
        plain("Every purchase has its owner.")


@app.command("claim")
def claim_purchase(
    subscription: Annotated[UUID, typer.Argument(metavar="ID", help="As `tenantry billing unlinked` shows it.")],
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose it is: an address that is proven.")],
    product: Product = DEFAULT,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
) -> None:
    """Give a purchase without an owner to a person."""

    async def run(ctx: Context) -> object:
        return await operating.claim(ctx, subscription, email, reason=reason)

    if _run(product, run) is None:
        raise Failure(f"Nobody here has proven the address {email}.", "They sign in and confirm it first.")
    note(f"Subscription {subscription} is {email}'s.")


@app.command("revenue")
def show_revenue(
    product: Product = DEFAULT,
    *,
    months: Annotated[int, typer.Option(min=1, max=MONTHS_MAX, help="How many, the running one among them.")] = 12,
    json: JSON = False,
) -> None:
    """Show what comes in: recurring revenue and how it moved, who left, trials, payments. Amounts in minor units.

    JSON has the same by provider and by plan. docs/revenue.md says how each figure is made.
    """
    found = _run(product, lambda ctx: revenue(ctx, months=months))
    if json:
        as_json(revenue_document(found))
        return
    for line in revenue_lines(found):
        plain(line)


def _run(product: str, action: Callable[[Context], Awaitable[T]]) -> T:
    declared, settings = read_ready(product)
    if declared.billing is None:
        raise Failure("This product has no billing.", "Declare it: Product(..., billing=Billing([Stripe()])).")

    async def run() -> T:
        async with running(declared, settings) as runtime:
            return await action(system_context(runtime))

    try:
        return asyncio.run(run())
    except Problem as problem:
        raise Failure(problem.detail or problem.title, "What was done until then stays; try again.") from problem


def _differing(count: int, *, dry_run: bool) -> str:
    if not count:
        return "All of it is the same here."
    return f"{count} {'is' if count == 1 else 'are'} different here." if dry_run else f"{count} repaired here."


def _report(one: Report) -> dict[str, Any]:
    drift = [{"kind": each.kind, "id": each.external_id, "difference": each.difference} for each in one.drift]
    return {"provider": one.provider, "seen": dict(one.seen), "drift": drift}


def _event(one: Any) -> dict[str, Any]:
    return {name: _text(getattr(one, name)) for name in one.__struct_fields__}


def _text(value: Any) -> Any:
    if value is None or isinstance(value, int | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
