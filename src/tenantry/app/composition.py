"""Building the application from a product and settings."""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

import tenantry
from tenantry.billing import Bell, BillingFigures, BillingProviders, billing_providers
from tenantry.identity import PasswordHashing, SignInProviders, sign_in_providers
from tenantry.identity.lookup import SessionLookup
from tenantry.kernel import Context, Module, Settings
from tenantry.kernel.body_limit import BodyLimit
from tenantry.kernel.clock import Clock, SystemClock
from tenantry.kernel.crypto import Vault
from tenantry.kernel.figures import Figure
from tenantry.kernel.frame import FrameOptions
from tenantry.kernel.health import Metrics, health_router
from tenantry.kernel.http import Frame
from tenantry.kernel.idempotency import PROBLEMS, is_creating, remember_answers
from tenantry.kernel.logs import access_log
from tenantry.kernel.notices import Notices
from tenantry.kernel.problem_handlers import install_problem_handlers
from tenantry.kernel.problems import (
    Internal,
    Invalid,
    Malformed,
    TooLarge,
    UnsupportedMediaType,
    WrongHost,
    all_problems,
    with_common,
)
from tenantry.kernel.raw_input import repeatable_queries
from tenantry.kernel.routing import index_routes
from tenantry.kernel.runtime import Runtime
from tenantry.kernel.secret_file import development_secret
from tenantry.keys import AuthorizeDoor, Bodies, CallLog, KnownKeys
from tenantry.organizations import MemberLookup, rights
from tenantry.product import Password, Product
from tenantry.site import layout_of
from tenantry.sources import Feeds
from tenantry.usage import Leases
from tenantry.usage.module import ports as usage_ports
from tenantry.web import Letters, create_templates, install, problem_page

from .checks import modules_of, refuse_errors
from .databases import build_databases
from .describing import problems_of
from .lifespan import Resource, lifespan_of, schema_revisions

PACKAGE = Path(tenantry.__file__).parent
BODY_BYTES_MAX = 1024 * 1024
_RESOURCES = (BillingProviders, CallLog, Feeds, Leases, Notices, PasswordHashing, SignInProviders)
COMMON_PROBLEMS = (Malformed, Invalid, TooLarge, UnsupportedMediaType, WrongHost, Internal)


def create_app(
    product: Product,
    settings: Settings | None = None,
    *,
    worker: bool = True,
    log_requests: bool = True,
    ports: Mapping[type, object] | None = None,
) -> FastAPI:
    """An ASGI application of the product.

    Without `settings` the environment is read. Raises `SettingsRefused` or `StartRefused` with every error found.
    `worker=False` leaves background jobs to another process (`tenantry jobs run`). `ports` stand in the place of what
    would be made for a Protocol or class: another `Clock`, an own payment provider's `BillingProviders`.
    """
    settings = settings or Settings.load()
    refuse_errors(product, settings)
    settings = with_development_secret(settings)
    modules = modules_of(product)
    own_templates = [one.templates for one in modules if one.templates]
    built = build_ports(product, settings, {Clock: SystemClock(), **(ports or {})}, own_templates)
    runtime = _runtime(product, settings, modules, built)
    resources: list[Resource] = [port for port in built.values() if isinstance(port, _RESOURCES)]
    app = FastAPI(
        title=product.name,
        version=tenantry.__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Looked up on every request even where no exporter is configured.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan_of(runtime, resources, worker=worker),
    )
    app.state.runtime, app.state.tenantry = runtime, app
    install_problem_handlers(app, page=problem_page)
    _add_routes(app, runtime, modules)
    _add_pages(app, settings, own_templates)
    index_routes(app)
    _wrap(app, settings, runtime, log_requests=log_requests)
    return app


def with_development_secret(settings: Settings) -> Settings:
    """In development a secret key is made once and kept beside the database; production must bring its own."""
    if settings.secret_keys:
        return settings
    folder = settings.sqlite_path.parent if settings.sqlite_path else Path("var")
    return settings.model_copy(update={"secret_keys": (development_secret(folder / "secret_key"),)})


def build_ports(
    product: Product, settings: Settings, given: Mapping[type, object], templates: Sequence[Path] = ()
) -> dict[type, object]:
    """What rooms reach through `ctx.port`: the outside world, slow work and mail, one object a kind.

    What is `given`, the clock at least, stands in the place of what would be made.
    """
    clock = _clock(given)
    notices, leases = Notices.of(settings, clock), Leases(clock)
    notices.subscribe("holder", leases.expire, leases.expire)
    ports: dict[type, object] = {
        Feeds: Feeds.of(product, clock, binance_base_url=settings.binance_base_url),
        SignInProviders: sign_in_providers(product, settings, clock),
        SessionLookup: _lookup(product),
        Notices: notices,
        Leases: leases,
        **usage_ports(),
        Letters: Letters(product.name, settings.public_url, templates),
    }
    if product.keys is not None:
        ports[KnownKeys] = KnownKeys(clock, notices)
        ports[CallLog] = CallLog()
    if product.billing is not None:
        ports[BillingProviders] = billing_providers(product, settings, clock)
        ports[Bell], ports[BillingFigures] = Bell(), BillingFigures()
    if product.way_in(Password) is not None:
        ports[PasswordHashing] = PasswordHashing()
    return {**ports, **given}


def _lookup(product: Product) -> SessionLookup:
    if product.organizations is None:
        return SessionLookup()
    return MemberLookup(is_billed=product.billed == "organization")


def _clock(ports: Mapping[type, object]) -> Clock:
    clock: Clock = ports[Clock]  # type: ignore[assignment]  # what stands at a Protocol keeps it
    return clock


def _runtime(product: Product, settings: Settings, modules: Sequence[Module], ports: Mapping[type, object]) -> Runtime:
    clock = _clock(ports)
    api, service = build_databases(settings, clock)
    handlers: dict[type, list[Callable[[Context, Any], Any]]] = {}
    for module in modules:
        for event, handler in module.handlers.items():
            handlers.setdefault(event, []).append(handler)
    runtime = Runtime(
        product=product,
        settings=settings,
        clock=clock,
        vault=Vault([key.get_secret_value() for key in settings.secret_keys]),
        metrics=Metrics(),
        api=api,
        service=service,
        modules=modules,
        resolvers=[resolver for module in modules for resolver in module.resolvers],
        handlers=handlers,
        ports=ports,
        jobs={job.name: job for module in modules for job in module.jobs},
        rights=rights(modules),
    )
    for read in (read for module in modules for read in module.figures):
        runtime.metrics.follow(partial(_read_figures, read, weakref.ref(runtime)))
    return runtime


def _read_figures(
    read: Callable[[Runtime], Iterable[Figure]], running: Callable[[], Runtime | None]
) -> Iterable[Figure]:
    runtime = running()
    return () if runtime is None else read(runtime)


def _add_routes(app: FastAPI, runtime: Runtime, modules: Sequence[Module]) -> None:
    # FastAPI remembers the functions of thousands of routes, after their application too: these do not hold it.
    running = weakref.ref(runtime)

    async def database_answers() -> None:
        runtime = running()
        if runtime is None or not await schema_revisions(runtime):
            msg = "the database does not answer"
            raise RuntimeError(msg)

    settings = runtime.settings
    public_host = (urlsplit(settings.public_url).hostname or "") if settings.is_production else ""
    routers = [health_router({"database": database_answers}, runtime.metrics, public_host=public_host)]
    for module in modules:
        routers += [*module.routers, *module.pages]
    for router in routers:
        # Appended, not included: an included router is searched as a branch of its own.
        app.router.routes.extend(router.routes)
    known = {problem.code: problem for problem in all_problems()}
    pages = {id(route) for module in modules for page in module.pages for route in page.routes}
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.include_in_schema = route.include_in_schema and id(route) not in pages
            # What the frame and the parser may answer to any request, beside the route's own word.
            common = dict.fromkeys((*problems_of(route.dependant, runtime.resolvers), *COMMON_PROBLEMS))
            if is_creating(route):
                remember_answers(route)
                common.update(dict.fromkeys(PROBLEMS))
            route.responses = with_common(route.responses, common, known)


def _add_pages(app: FastAPI, settings: Settings, own: Sequence[Path]) -> None:
    folders = [folder for folder in sorted(PACKAGE.glob("*/templates")) if folder.parent.name != "web"]
    templates = create_templates([*folders, *own], layout_of=layout_of)
    install(
        app,
        templates,
        public_origin=settings.public_url,
        allowed_origins=[one for one in settings.allowed_origins if one != "*"],
    )


def _wrap(app: FastAPI, settings: Settings, runtime: Runtime, *, log_requests: bool) -> None:
    production = settings.environment == "production"
    options = FrameOptions(
        production=production,
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        repeatable=repeatable_queries(app),
    )
    access = access_log(production=production) if log_requests else None
    app.add_middleware(BodyLimit, max_body_size=BODY_BYTES_MAX)
    inner: ASGIApp = app.build_middleware_stack()
    if runtime.product.keys is not None and runtime.product.keys.log_bodies:
        inner = Bodies(inner, bytes_max=runtime.product.keys.body_bytes_max)
    if runtime.product.keys is not None:
        inner = AuthorizeDoor.before(app, inner, runtime)
    app.middleware_stack = Frame(inner, options, metrics=runtime.metrics, access=access)
