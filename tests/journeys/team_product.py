"""A product whose organizations hold plans, as the server of the journey about teams is given it."""

from tenantry import Count, Google, Keys, Meter, Organizations, Plan, Product

requests, seats = Meter("requests", per="day"), Count("seats")
product = Product(
    "Acme",
    tagline="Requests by the day.",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={requests: 5, seats: 3}, features=["Three seats"])],
    keys=Keys(),
    billed="organization",
    organizations=Organizations(seats=seats),
)
