"""Jotter, a stranger's product with tables of its own: two plans, one module."""

from jotter import JOTTER

from tenantry import Google, Meter, Plan, Product

requests = Meter("requests", per="day")

product = Product(
    "Jotter",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={requests: 100}), Plan("pro", price=900, limits={requests: 1000})],
    modules=[JOTTER],
)
