"""What a client wants to read and what it sent."""

_JSON_TYPES = ("application/problem+json", "application/json")


def prefers_html(accept: str) -> bool:
    """Say whether an Accept header prefers a page to JSON (RFC 9110, section 12.5.1). In doubt: JSON.

    The higher quality wins; at the same quality the type that is named wins over one that a wildcard covers.
    """
    ranges = _ranges(accept)
    html = _quality(ranges, "text/html")
    return html[0] > 0 and html > max(_quality(ranges, wanted) for wanted in _JSON_TYPES)


def is_json(content_type: str) -> bool:
    """Say whether a Content-Type is JSON: `application/json` or `application/*+json`."""
    kind, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def _ranges(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                quality = _weight(parameter[2:])
        if name:
            found[name] = max(quality, found.get(name, 0.0))
    return found or {"*/*": 1.0}


def _weight(text: str) -> float:
    # RFC 9110, section 12.4.2: 0 to 1 with three decimals. Nonsense counts as "not wanted".
    whole, _, decimals = text.partition(".")
    if whole not in ("0", "1") or len(decimals) > 3 or (decimals and not decimals.isdigit()):
        return 0.0
    quality = float(text)
    return quality if quality <= 1 else 0.0


def _quality(ranges: dict[str, float], wanted: str) -> tuple[float, int]:
    """Return the quality of a media type and how exactly it was named."""
    for exactness, name in ((2, wanted), (1, f"{wanted.partition('/')[0]}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], exactness
    return 0.0, 0
