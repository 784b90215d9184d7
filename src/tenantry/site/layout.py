"""What the frame around every page shows: who is signed in, for whom they work, where one can go, what is not real."""

import re
from collections.abc import Set as AbstractSet
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Request

from tenantry.kernel import Context, Settings
from tenantry.kernel.context import Actor, resolved_context
from tenantry.kernel.runtime import Runtime
from tenantry.product import Product
from tenantry.sources import Binance
from tenantry.web import Layout, Link, Person, Working, gettext

_ID = re.compile(r"/[0-9a-f]{8}-[0-9a-f-]{27}(?=/|$)", re.IGNORECASE)
# These look alike for everybody: with the header of the public site, also for who is signed in.
_PUBLIC_PATHS = frozenset({"/", "/pricing", "/docs", "/problems", "/design"})


def layout_of(request: Request) -> Layout:
    """The frame of one request. A person is shown on the pages inside the product, never on the public ones."""
    state = request.scope.get("state", {})
    ctx = resolved_context(request.scope)
    runtime: Runtime = request.app.state.runtime
    is_inside = ctx is not None and ctx.actor.kind == "user" and request.url.path not in _PUBLIC_PATHS
    return Layout(
        product_name=runtime.product.name,
        tagline=runtime.product.tagline,
        nav=_inside(request, runtime, ctx) if ctx is not None and is_inside else _outside(request, runtime),
        person=_person(ctx) if is_inside else None,
        working=_working(request, ctx, runtime) if is_inside else None,
        holder=_holder(ctx),
        user_menu=_user_menu(request) if is_inside else (),
        action=None if is_inside else _action(request, ctx),
        footer=_footer(request, runtime.settings),
        impersonation=ctx.actor.impersonation if ctx else None,
        notice=_notice(request, runtime.product, runtime.settings),
        request_id=state.get("request_id", ""),
        now=runtime.clock.now(),
    )


def _person(ctx: Context | None) -> Person | None:
    return Person(ctx.actor.email or "", ctx.actor.name or "") if ctx else None


def _working(request: Request, ctx: Context | None, runtime: Runtime) -> Working | None:
    if ctx is None or runtime.product.organizations is None:
        return None
    actor, person = ctx.actor, Person(ctx.actor.email or "", ctx.actor.name or "")
    all_of_them = _names(actor)
    current = all_of_them.pop(actor.organization_id, None) if actor.organization_id else None
    others = sorted(((str(one), name) for one, name in all_of_them.items()), key=lambda one: one[1].casefold())
    return Working(current or person.shown_name, others, _way_back(request, runtime), has_own=current is not None)


def _holder(ctx: Context | None) -> str:
    if ctx is None or ctx.current_holder is None or ctx.current_holder.kind != "organization":
        return ""
    current = ctx.actor.organization_id
    return _names(ctx.actor).get(current, "") if current else ""


def _names(actor: Actor) -> dict[UUID, str]:
    # An author's own resolver may know organizations without their names.
    return dict(zip(actor.organization_ids, actor.organization_names, strict=False))


def _way_back(request: Request, runtime: Runtime) -> str:
    """Where one goes on in another organization: here, or at the list where what is shown belongs to this one."""
    path = request.url.path
    if request.method in {"GET", "HEAD"} and not _ID.search(path):
        return path
    above = f"/{path.split('/')[1]}"
    lists = {"/settings", *(item.path for module in runtime.modules for item in module.nav if item.signed_in)}
    return above if above in lists else "/dashboard"


def _inside(request: Request, runtime: Runtime, ctx: Context) -> list[Link]:
    _ = gettext(request)
    added = _of_modules(request, runtime, signed_in=True, rights=ctx.actor.permissions)
    return [
        Link(_("Dashboard"), "/dashboard", "gauge"),
        *(link for link in added if not link.group),
        Link(_("Settings"), "/settings", "sliders"),
        *sorted((link for link in added if link.group), key=lambda link: link.group),
        Link(_("API reference"), "/docs", "book", group=_("Help")),
        Link(_("Plans and prices"), "/pricing", "card", group=_("Help")),
    ]


def _outside(request: Request, runtime: Runtime) -> list[Link]:
    _ = gettext(request)
    return [
        Link(_("Pricing"), "/pricing"),
        Link(_("API reference"), "/docs"),
        *_of_modules(request, runtime, signed_in=False),
    ]


def _of_modules(
    request: Request, runtime: Runtime, *, signed_in: bool, rights: AbstractSet[str] = frozenset()
) -> list[Link]:
    """What the rooms and the author's modules add, in their order, as far as the reader may see where it leads."""
    _ = gettext(request)
    rooms = {module.name for module in runtime.modules}
    found = [
        item
        for module in runtime.modules
        for item in module.nav
        if item.signed_in == signed_in
        and (item.permission is None or item.permission.name in rights)
        and (not item.room or item.room in rooms)
    ]
    return [
        Link(_(item.label), item.path, item.icon, group=_(item.group) if item.group else "", is_exact=item.is_exact)
        for item in sorted(found, key=lambda item: item.order)
    ]


def _user_menu(request: Request) -> list[Link]:
    _ = gettext(request)
    return [Link(_("Settings"), "/settings"), Link(_("Plans and prices"), "/pricing")]


def _action(request: Request, ctx: Context | None) -> Link:
    _ = gettext(request)
    if ctx is not None and ctx.actor.kind == "user":
        return Link(_("Dashboard"), "/dashboard")
    return Link(_("Sign in"), "/signin")


def _footer(request: Request, settings: Settings) -> list[Link]:
    _ = gettext(request)
    items = [
        Link(_("Pricing"), "/pricing"),
        Link(_("API reference"), "/docs"),
        Link(_("Problems"), "/problems"),
    ]
    if not settings.is_production:
        items.append(Link(_("Design"), "/design"))
        if settings.smtp_url is None:
            items.append(Link(_("Mailbox"), "/mailbox"))
    return items


def _notice(request: Request, product: Product, settings: Settings) -> str:
    """One line in development: whose sign-in and whose prices these are."""
    if settings.is_production:
        return ""
    _ = gettext(request)
    parts = [_("Development.")]
    if settings.demo_issuer:
        parts.append(_("You sign in as a made-up person at %(host)s.", host=urlsplit(settings.demo_issuer).netloc))
    if product.billing is not None and settings.demo_billing:
        parts.append(_("No money moves: you pay a stand-in at %(host)s.", host=urlsplit(settings.demo_billing).netloc))
    if any(isinstance(source.adapter, Binance) and source.status == "active" for source in product.sources):
        host = urlsplit(settings.binance_base_url).netloc
        if _is_loopback(settings.binance_base_url):
            parts.append(_("Prices are made up by a stand-in at %(host)s.", host=host))
        else:
            parts.append(_("Prices are real, from %(host)s.", host=host))
    return " ".join(parts)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
