"""A site that sells crypto market data: two plans, four sources, sign-in with Google or GitHub.

Names, lines and descriptions are the words of its data model, with the hyphens as they are printed there
(U+2011, which does not break).
"""

from datetime import timedelta

from tenantry import Burst, DataSource, GitHub, Google, Meter, Plan, Product
from tenantry.sources import Binance

requests = Meter("requests", per="day")

product = Product(
    "Coinlens",
    tagline="Crypto market data behind one key.",
    description="Spot prices today; news, on\u2011chain metrics and social signals next.",
    sign_in=[Google(), GitHub()],
    session_lifetime=timedelta(minutes=60),
    plans=[
        Plan(
            "free",
            price=0,
            limits={requests: 100},
            features=["Core crypto prices (Binance adapter)", "Basic news (coming soon)", "Rate limits apply"],
            burst=Burst(20, seconds=1),
        ),
        Plan(
            "pro",
            price=None,
            limits={requests: 1000},
            features=[
                "Everything in Free",
                "On\u2011chain & social signals (rolling out)",
                "Higher limits, priority queue",
            ],
            priority=1,
            burst=Burst(100, seconds=1),
        ),
    ],
    sources=[
        DataSource(
            "Binance Prices",
            key="binance-prices",
            description="Spot price, 24h change, 24h volume",
            availability="free",
            status="active",
            adapter=Binance(),
        ),
        DataSource(
            "Crypto News (aggregated)",
            key="crypto-news",
            description="Headline feed curated for crypto tickers",
            availability="free",
            status="planned",
        ),
        DataSource(
            "On\u2011chain Metrics",
            key="on-chain-metrics",
            description="Network activity, exchange flows",
            availability="pro",
            status="planned",
        ),
        DataSource(
            "Social Signals",
            key="social-signals",
            description="X/Telegram curated signals and sentiment",
            availability="pro",
            status="planned",
        ),
    ],
)
