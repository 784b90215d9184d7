"""Addresses that a provider gave us, before anybody is led there."""

from urllib.parse import urlsplit

from tenantry.kernel import Context

from .rows import Payment


def web_link(address: str | None, *, plain: bool = False) -> str | None:
    """The address, if a browser may be led there: HTTPS (`plain`: or HTTP), of a host, in letters that can be seen."""
    if address is None or not address.isprintable():
        return None
    try:
        found = urlsplit(address)
    except ValueError:
        return None
    return address if found.scheme in ({"https", "http"} if plain else {"https"}) and found.hostname else None


def receipt_of(ctx: Context, payment: Payment) -> str | None:
    """The provider's page about a payment; in development also that of the stand-in, which speaks plain HTTP."""
    return web_link(payment.receipt_url, plain=not ctx.settings.is_production)
