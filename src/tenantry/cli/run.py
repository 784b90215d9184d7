"""`tenantry run`: a product, served."""

import socket
from contextlib import closing, nullcontext

import typer
from rich.markup import escape

from tenantry.app import check
from tenantry.kernel import Settings
from tenantry.kernel.addresses import masked
from tenantry.kernel.logs import configure_logs
from tenantry.product import Finding, Product

from .declaration import DEFAULT, ProductArgument, read_both, refuse_errors
from .demo import Demo, stand_ins, wants_demo
from .environment import read_environment, read_settings
from .failures import Failure
from .output import say, show_findings
from .preparing import migrate_in_development, prove
from .seed import seed_now
from .serving import PRODUCT, serve_and_reload, serve_here, serve_in_processes
from .sockets import listen, port_of

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def run(
    product: ProductArgument = DEFAULT,
    host: str | None = typer.Option(None, help="Address to listen on; else TENANTRY_HOST."),
    port: int | None = typer.Option(None, min=0, max=65535, help="Port; 0 takes a free one; else TENANTRY_PORT."),
    workers: int | None = typer.Option(None, min=1, max=512, help="Server processes; else TENANTRY_WORKERS."),
    reload: bool = typer.Option(False, "--reload", help="Start again when the product's files change; development."),
    demo: bool | None = typer.Option(
        None, "--demo/--no-demo", help="Stand-ins and demo data; by default in development, never in production."
    ),
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
    with closing(listen(settings.host, 0 if port == 0 else settings.port)) as listening:
        environment |= {"TENANTRY_PORT": str(port_of(listening)), PRODUCT: product}
        settings = read_settings(environment)
        is_demo = wants_demo(settings, demo)
        with stand_ins(declared, settings) if is_demo else nullcontext(Demo()) as started:
            environment |= started.environment
            settings = read_settings(environment)
            warnings = _checked(declared, settings)
            if is_demo and warnings:
                started.lines["Warnings"] = f"{len(warnings)}, shown by: tenantry check {product}"
            else:
                show_findings(warnings)
            started.lines = {"Database": _prepared(declared, settings, with_data=is_demo), **started.lines}
            raise typer.Exit(_serve(declared, environment, listening, started=started, reload=reload))


def _checked(product: Product, settings: Settings) -> list[Finding]:
    findings = check(product, settings)
    refuse_errors(findings)
    return findings


def _prepared(product: Product, settings: Settings, *, with_data: bool) -> str:
    """Migrate, start once, and make demo data in a new database; answers what to say about the database."""
    done = migrate_in_development(settings)
    # After the migration, whose every step would be a line of the log.
    configure_logs(production=settings.is_production)
    if with_data and done == "made":
        seed_now(product, settings)
        done = "made just now, with demo data"
    else:
        prove(product, settings)
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
