"""The call that the landing page shows, with an answer in the form that the API gives it."""

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


def sample_call(ctx: Context) -> str:
    """A price by `curl` and its answer; "" for a product without an active source."""
    source = next((source for source in ctx.product.sources if source.status == "active"), None)
    if source is None:
        return ""
    limits = _limit_line(ctx.product)
    return (
        f"$ curl -i -b cookies.txt {ctx.settings.public_url}/v1/prices/{SYMBOL}\n\n"
        f"HTTP/1.1 200 OK\n{limits}\n{_ANSWER.format(symbol=SYMBOL, source=source.key)}"
    )


def _limit_line(product: Product) -> str:
    meter = product.meter_of_sources
    limit = product.limit(product.default.name, meter) if meter else None
    return f"X-RateLimit-Limit: {limit}\nX-RateLimit-Remaining: {limit - 1}\n" if limit else ""
