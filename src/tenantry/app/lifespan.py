"""What happens when the application starts and stops."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

from fastapi import FastAPI
from sqlalchemy import column as sql_column
from sqlalchemy import select, table

from tenantry.holders import mirror_plans
from tenantry.kernel.context import system_context
from tenantry.kernel.database import Statement
from tenantry.kernel.database.revision import newest, shown
from tenantry.kernel.extras import extra
from tenantry.kernel.jobs import work
from tenantry.kernel.logs import logger_of
from tenantry.kernel.module import histories_of
from tenantry.kernel.problems import DatabaseUnavailable
from tenantry.kernel.runtime import Runtime
from tenantry.organizations import open_missing_holders
from tenantry.product import Finding

from .checks import StartRefused

LOOP_SECONDS = 5.0
"""How long a room's loop may take to end when the application stops."""

log = logger_of("tenantry.app")


class Resource(Protocol):
    """Something that lives as long as the application runs, on its event loop."""

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...


def lifespan_of(runtime: Runtime, resources: Sequence[Resource], *, worker: bool) -> Any:
    """The application's lifespan: databases, resources, plans, and the worker of jobs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open_databases(runtime, stack)
            await _verify(runtime)
            for resource in resources:
                await resource.open()
                stack.push_async_callback(resource.aclose)
            async with system_context(runtime).service() as ctx:
                await mirror_plans(ctx)
            await open_missing_holders(system_context(runtime))
            if worker:
                await stack.enter_async_context(_working(runtime))
            # What start-up made stays; the collector need not walk it again and again.
            gc.freeze()
            # What this application was made of goes when it has ended: a process of tests starts hundreds.
            stack.callback(gc.unfreeze)
            yield

    return lifespan


async def _open_databases(runtime: Runtime, stack: AsyncExitStack) -> None:
    logins = [runtime.api] if runtime.api is runtime.service else [runtime.api, runtime.service]
    for database in logins:
        await _open(database, runtime.settings.connect_retries)
        stack.push_async_callback(database.close)


async def _open(database: Any, retries: int) -> None:
    for attempt in range(retries + 1):
        try:
            await database.open()
        except DatabaseUnavailable as problem:
            if attempt == retries:
                raise
            log.warning("database.away", attempt=attempt + 1, reason=problem.internal)
            await asyncio.sleep(min(2**attempt * 0.25, 5))
        else:
            return


async def _verify(runtime: Runtime) -> None:
    findings: list[Finding] = []
    if runtime.api.kind == "postgresql":
        findings += await extra("tenantry.kernel.database.logins").login_findings(runtime.api, runtime.service)
    found, wanted = await schema_revisions(runtime) or frozenset(), newest(histories_of(runtime.modules))
    if found != wanted:
        findings.append(
            Finding(
                "error",
                "database",
                f"its schema is at revision {shown(found)}, this version needs {shown(wanted)}.",
                "Run `tenantry db migrate`.",
            )
        )
    if findings:
        raise StartRefused(findings)


_VERSION: Statement[str] = Statement(select(table("tenantry_schema", sql_column("version_num"))), None)


async def schema_revisions(runtime: Runtime) -> frozenset[str] | None:
    """The revisions the database is at; None when it was never migrated, or does not answer."""
    ctx = system_context(runtime)
    with suppress(Exception):
        async with ctx.service(writes=False) as reading:
            return frozenset(await reading.db.rows(_VERSION))
    return None


@asynccontextmanager
async def _working(runtime: Runtime) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(work(runtime, stop))
    loops = [asyncio.create_task(loop(runtime, stop)) for module in runtime.modules for loop in module.loops]
    try:
        yield
    finally:
        stop.set()
        # It bounds its own end: the grace of the jobs that run, and a moment to hand them back.
        await asyncio.wait([task])
        await _end(loops)


async def _end(loops: Sequence[asyncio.Task[None]]) -> None:
    """Give loops a moment to end by themselves, then interrupt them."""
    if loops:
        await asyncio.wait(loops, timeout=LOOP_SECONDS)
    for task in loops:
        task.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
