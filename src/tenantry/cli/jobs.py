"""`tenantry jobs`: background work without a server, and how it stands."""

import asyncio
import signal
from typing import Annotated, Any
from uuid import UUID

import typer

from tenantry.kernel.context import system_context
from tenantry.kernel.jobs import DeadJob, JobCount, counts, dead, plan_periodic, replay, run_due
from tenantry.kernel.logs import configure_logs
from tenantry.kernel.runtime import Runtime

from .declaration import DEFAULT, ProductArgument, read_ready
from .failures import Failure
from .output import as_json, note, plain
from .preparing import running

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

_STATUSES = ("queued", "running", "done", "dead")


@app.callback()
def _jobs() -> None:
    """Run and inspect background jobs."""


@app.command("run")
def run_jobs(
    product: ProductArgument = DEFAULT,
    *,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is due any more.")] = False,
) -> None:
    """Run background jobs without a server, until Ctrl-C. Every `tenantry run` does so too; this adds hands."""
    declared, settings = read_ready(product)
    configure_logs(production=settings.is_production)

    async def work() -> int | None:
        async with running(declared, settings, worker=not once) as runtime:
            return await _until_none_is_due(runtime) if once else await _until_told()

    ran = asyncio.run(work())
    if ran is None:
        raise typer.Exit(130)
    if once:
        plain(f"{ran} jobs were run.")


@app.command("list")
def list_jobs(
    product: ProductArgument = DEFAULT,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many dead jobs to show.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Count the jobs by status, and show those that died last with their ids and what they failed of.

    A dead job has used up its attempts. It is kept until `tenantry jobs replay` queues it again.
    """
    declared, settings = read_ready(product)

    async def look() -> tuple[list[JobCount], list[DeadJob]]:
        async with running(declared, settings) as runtime, system_context(runtime).service(writes=False) as ctx:
            return await counts(ctx.db), await dead(ctx.db, limit=limit)

    found, died = asyncio.run(look())
    numbers = dict.fromkeys(_STATUSES, 0) | {one.status: one.count for one in found}
    if json:
        as_json({"counts": numbers, "dead": [_dead_as_json(one) for one in died]})
        return
    plain("  ".join(f"{status} {number}" for status, number in numbers.items()))
    for one in died:
        plain(f"{one.id}  {one.name}  after {one.attempts} attempts  {one.finished_at:%Y-%m-%d %H:%M:%S}Z")
        plain(f"    {one.last_error}")


@app.command("replay")
def replay_job(
    job: Annotated[UUID, typer.Argument(metavar="ID", help="A dead job's id, as `tenantry jobs list` shows it.")],
    product: ProductArgument = DEFAULT,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Queue a dead job again, with all its attempts before it. `tenantry jobs list` shows the ids."""
    declared, settings = read_ready(product)

    async def again() -> bool:
        async with running(declared, settings) as runtime, system_context(runtime).service() as ctx:
            return await replay(ctx.db, job)

    if not asyncio.run(again()):
        raise Failure(f"There is no dead job {job}.", "See `tenantry jobs list`.")
    if json:
        as_json({"id": str(job), "status": "queued"})
    else:
        plain(f"{job} is queued again.")


def _dead_as_json(one: DeadJob) -> dict[str, Any]:
    died = f"{one.finished_at:%Y-%m-%dT%H:%M:%SZ}" if one.finished_at else None
    return {
        "id": str(one.id),
        "name": one.name,
        "attempts": one.attempts,
        "last_error": one.last_error,
        "finished_at": died,
    }


async def _until_none_is_due(runtime: Runtime) -> int | None:
    """How many jobs were run; None when a signal ended it, and the jobs that ran were handed back."""
    # On the loop, so that it works too where whoever started us made the process ignore Ctrl-C.
    loop, working = asyncio.get_running_loop(), asyncio.ensure_future(_run_all(runtime))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, working.cancel)
    try:
        return await working
    except asyncio.CancelledError:
        return None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _run_all(runtime: Runtime) -> int:
    total = 0
    await plan_periodic(runtime)
    while ran := await run_due(runtime):
        total += ran
    return total


async def _until_told() -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    note("Running background jobs. Stop: Ctrl-C")
    await stop.wait()
    note("Stopped.")
    return 0
