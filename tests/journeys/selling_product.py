"""A product that sells, as the server of the journeys about billing is given it."""

from datetime import timedelta

from tenantry import Billing, Google, Keys, MagicLink, Meter, Plan, Price, Product, Stripe

requests = Meter("requests", per="day")
product = Product(
    "Acme",
    tagline="Requests by the day.",
    sign_in=[Google(), MagicLink()],
    plans=[
        Plan("free", price=0, limits={requests: 5}, features=["Five requests a day"]),
        Plan(
            "pro",
            price=900,
            other_prices=[Price(9000, interval="year")],
            limits={requests: 50},
            features=["Fifty requests a day"],
        ),
        Plan("team", price=2900, limits={requests: 500}, features=["500 requests a day"], trial=timedelta(days=14)),
    ],
    keys=Keys(),
    billing=Billing([Stripe()]),
)
