"""Serving an application: in this process, or in several that build it from the environment."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import ChangeReload, Multiprocess

import tenantry
from tenantry.app import create_app
from tenantry.kernel import Settings
from tenantry.kernel.logs import configure_logs
from tenantry.product import Product

from .declaration import read_product
from .environment import read_settings
from .failures import Failure, Refused
from .output import show_findings, wrong
from .preparing import started

# Not TENANTRY_: that prefix is for settings, and an unknown one is refused.
PRODUCT = "_TENANTRY_PRODUCT"
GRACE_SECONDS = 10
_STARTUP_FAILURE = 3  # uvicorn's own: a process that ends so is not started again


def application() -> FastAPI:
    """The application of a server process: product and settings are named by its environment."""
    try:
        product, settings = read_product(os.environ[PRODUCT]), read_settings(os.environ)
    except Refused as refused:
        show_findings(refused.findings)
        sys.exit(_STARTUP_FAILURE)
    except Failure as failure:
        wrong(failure.message, failure.fix)
        sys.exit(_STARTUP_FAILURE)
    configure_logs(production=settings.is_production)
    return create_app(product, settings)


def serve_here(product: Product, settings: Settings, listening: socket.socket, ready: Callable[[], None]) -> int:
    """Serve in this process until SIGINT or SIGTERM; `ready` is called when requests are answered.

    Raises Refused and Failure when the application does not start.
    """

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            app = await stack.enter_async_context(started(product, settings, worker=True))
            # The application runs already; the server only listens.
            server = _Server(_config(app, settings, lifespan="off"), ready)
            with _quiet_signals():
                await server.serve([listening])
                await stack.aclose()

    with asyncio.Runner(loop_factory=_config(_FACTORY, settings, factory=True).get_loop_factory()) as runner:
        runner.run(serve())
    return 0


def serve_in_processes(
    environment: Mapping[str, str], settings: Settings, listening: socket.socket, ready: Callable[[], None]
) -> int:
    """Serve in `settings.workers` processes, which are started again when they die; answers the status.

    `ready` is called when all of them answer requests.
    """
    os.environ.update(environment)
    config = _config(_FACTORY, settings, factory=True, workers=settings.workers)
    supervisor = _Processes(config, [listening], ready)
    supervisor.run()
    return 1 if any(process.exitcode == _STARTUP_FAILURE for process in supervisor.processes) else 0


def serve_and_reload(
    environment: Mapping[str, str], settings: Settings, listening: socket.socket, ready: Callable[[], None]
) -> int:
    """Serve in one process that is started again whenever a Python file beside the product changes."""
    os.environ.update(environment)
    named = environment[PRODUCT]
    folder = Path(named).resolve().parent if named.endswith(".py") else Path(tenantry.__file__).parent
    config = _config(_FACTORY, settings, factory=True, reload=True, reload_dirs=[str(folder)])
    ready()
    ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listening]).run()
    return 0


_FACTORY = f"{__name__}:application"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


class _Processes(Multiprocess):
    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._ready = ready
        self._is_ready = False

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self._is_ready and all(process.is_ready() for process in self.processes):
            self._is_ready = True
            self._ready()


def _config(app: Any, settings: Settings, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        # In development the lines of `tenantry run` say the same in fewer words.
        log_level="info" if settings.is_production else "warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # Where httptools is not: h11 has bounds of its own.
        http="h11" if sys.platform == "win32" else f"{__package__}.protocol:BoundedProtocol",
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
        **more,
    )


@contextmanager
def _quiet_signals() -> Iterator[None]:
    # uvicorn raises the signal again when it is done, which would end us with a stack or without our own end.
    kept = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
