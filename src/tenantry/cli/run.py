"""`tenantry run`: a product, served."""

import logging
import socket
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Annotated

import typer
from rich.markup import escape

from tenantry.app import check
from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.logs import configure_logs
from tenantry.product import Finding, Product

from .declaration import DEFAULT, ProductArgument, read_both, refuse_errors
from .demo import Demo, wants_demo
from .environment import read_environment, read_settings
from .failures import Failure
from .lazy import load_module
from .output import say, show_findings
from .preparing import migrate_in_development, prove
from .serving import PRODUCT, serve_and_reload, serve_here, serve_in_processes
from .sockets import listen, port_of

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


Host = Annotated[str | None, typer.Option(help="Address to listen on; else TENANTRY_HOST.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one; else TENANTRY_PORT.")]
Workers = Annotated[int | None, typer.Option(min=1, max=512, help="Server processes; else TENANTRY_WORKERS.")]
Reload = Annotated[bool, typer.Option("--reload", help="Start again when the product's files change; in development.")]
UseDemo = Annotated[
    bool | None,
    typer.Option("--demo/--no-demo", help="Stand-ins and demo data: the default in development, never in production."),
]


@app.command()
def run(
    product: ProductArgument = DEFAULT,
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    reload: Reload = False,
    demo: UseDemo = None,
) -> None:
    """Serve a product: pages and API, until Ctrl-C.

    In development an SQLite database is made and migrated without being asked. PostgreSQL is migrated by you:
    `tenantry db migrate`.
    """
    flags = {"TENANTRY_HOST": host, "TENANTRY_PORT": port or None, "TENANTRY_WORKERS": workers}
    environment = read_environment({name: str(value) for name, value in flags.items() if value is not None})
    declared, settings = read_both(product, environment)
    if reload and settings.is_production:
        raise Failure("--reload is refused in production.", "Leave --reload out.")
    is_demo = wants_demo(settings, asked=demo)
    with closing(listen(settings.host, 0 if port == 0 else settings.port)) as listening:
        environment |= {"TENANTRY_PORT": str(port_of(listening)), PRODUCT: product}
        with _stand_ins(declared, read_settings(environment), wanted=is_demo) as started:
            environment |= started.environment
            settings = read_settings(environment)
            warnings = _checked(declared, settings)
            if is_demo and warnings:
                started.lines["Warnings"] = f"{len(warnings)}, shown by: tenantry check {product}"
            else:
                show_findings(warnings)
            started.lines = {"Database": _prepared(declared, settings, with_data=is_demo), **started.lines}
            if reload or settings.workers > 1:
                prove(declared, settings)
            raise typer.Exit(_serve(declared, environment, listening, started=started, reload=reload))


def _stand_ins(product: Product, settings: Settings, *, wanted: bool) -> AbstractContextManager[Demo]:
    if not wanted:
        return nullcontext(Demo())
    started: AbstractContextManager[Demo] = load_module("stand_ins").stand_ins(product, settings)
    return started


def _checked(product: Product, settings: Settings) -> list[Finding]:
    findings = check(product, settings)
    refuse_errors(findings)
    return findings


def _prepared(product: Product, settings: Settings, *, with_data: bool) -> str:
    """Migrate, and make demo data in a new database; answers what to say about the database."""
    done = migrate_in_development(product, settings)
    # After the migration, whose every step would be a line of the log.
    configure_logs(production=settings.is_production)
    if not settings.is_production:
        # What uvicorn says about starting and stopping, the stand-ins' too, our own lines say already.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    if with_data and done == "made":
        load_module("seed").seed_now(product, settings)
        done = "made just now, with demo data"
    else:
        done = {"made": "made just now", "migrated": "migrated just now"}.get(done, "")
    place = str(settings.sqlite_path or masked(settings.database_url))
    return f"{place} ({done})" if done else place


def _serve(
    product: Product, environment: dict[str, str], listening: socket.socket, *, started: Demo, reload: bool
) -> int:
    settings = read_settings(environment)

    def ready() -> None:
        if not settings.is_production:
            _show_start(product, settings, started)

    if reload:
        status = serve_and_reload(environment, settings, listening, ready)
    elif settings.workers > 1:
        status = serve_in_processes(environment, settings, listening, ready)
    else:
        status = serve_here(product, settings, listening, ready)
    if not settings.is_production:
        say("Stopped." if status == 0 else "")
    return status


def _show_start(product: Product, settings: Settings, started: Demo) -> None:
    lines = dict(started.lines)
    if settings.workers > 1:
        lines["Processes"] = str(settings.workers)
    lines["Stop"] = "Ctrl-C"
    say(f"\n  [bold]{escape(product.name)}[/] is at [bold cyan]{escape(settings.public_url)}[/]\n")
    for name, text in lines.items():
        say(f"  [dim]{name:<10}[/] {escape(text)}")
    say()
