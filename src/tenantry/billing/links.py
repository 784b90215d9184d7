"""Addresses that a provider gave us, before anybody is led there."""

from urllib.parse import urlsplit


def web_link(address: str | None, *, plain: bool = False) -> str | None:
    """The address, if a browser may be led there: HTTPS (`plain`: or HTTP), of a host, in letters that can be seen."""
    if address is None or not address.isprintable():
        return None
    try:
        found = urlsplit(address)
    except ValueError:
        return None
    return address if found.scheme in ({"https", "http"} if plain else {"https"}) and found.hostname else None
