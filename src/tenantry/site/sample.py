"""The call that the landing page shows, with an answer in the form that the API gives it."""

from typing import NamedTuple

from tenantry.kernel import Context
from tenantry.product import Product

SYMBOL = "BTCUSDT"

# Example figures; the page says so. The fields are those of `GET /v1/prices/{symbol}`.
_ANSWER = """\
{{
  "symbol": "{symbol}",
  "price": "62400.00",
  "change_24h": "1200.00",
  "change_percent_24h": "1.961",
  "volume_24h": "48000.00",
  "as_of": "2024-03-02T00:00:00Z",
  "age_seconds": 0.42,
  "stale": false,
  "source": "{source}"
}}"""


class Sample(NamedTuple):
    """A command, and what it answers."""

    command: str
    answer: str


def sample_call(ctx: Context) -> Sample | None:
    """A price by `curl`; None for a product without an active source."""
    source = next((source for source in ctx.product.sources if source.status == "active"), None)
    if source is None:
        return None
    answer = _ANSWER.format(symbol=SYMBOL, source=source.key)
    return Sample(
        f"curl -i -b cookies.txt \\\n  {ctx.settings.public_url}/v1/prices/{SYMBOL}",
        f"HTTP/1.1 200 OK\n{_limit_lines(ctx.product)}\n{answer}",
    )


def _limit_lines(product: Product) -> str:
    meter = product.meter_of_sources
    limit = product.limit(product.default.name, meter) if meter else None
    return f"X-RateLimit-Limit: {limit}\nX-RateLimit-Remaining: {limit - 1}\n" if limit else ""
