"""`tenantry run` with payments, before there is an account at any provider."""

import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from tenantry.billing.demo import DEMO_KEY

PAID = """\
from tenantry import Billing, Google, Meter, Plan, Product, Stripe

requests = Meter("requests", per="day")
product = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={requests: 5}), Plan("pro", price=900, limits={requests: 50})],
    billing=Billing(providers=[Stripe()]),
)
"""
LINE = re.compile(r"Payments +demo, no money moves; what was bought is at (http://127\.0\.0\.1:\d+)")


@pytest.fixture
def paid(empty_folder: Path) -> Path:
    (empty_folder / "product.py").write_text(PAID)
    return empty_folder


def holder_of(email: str) -> str:
    wanted = "SELECT holders.id FROM holders JOIN users ON users.id = holders.user_id WHERE users.email = ?"
    with closing(sqlite3.connect("var/tenantry.db")) as connection:
        ((found,),) = connection.execute(wanted, (email,)).fetchall()
    return str(UUID(bytes=found) if isinstance(found, bytes) else UUID(found))


def wait_for_plan(ada: httpx2.Client, name: str) -> None:
    deadline = time.monotonic() + 10
    while (found := ada.get("/v1/me").json()["plan"]["name"]) != name:
        if time.monotonic() > deadline:
            pytest.fail(f"the plan is still {found}")
        time.sleep(0.01)


def buy(standin: str, ada: httpx2.Client) -> None:
    """What the application's own pages do: a customer, a page to pay on; and what the person does there."""
    holder = holder_of("ada@example.com")
    with httpx2.Client(base_url=standin, headers={"authorization": f"Bearer {DEMO_KEY}"}) as api:
        customer = api.post("/v1/customers", json={"holder_id": holder, "email": "ada@example.com"}).json()["item"]
        urls = {"success_url": f"{ada.base_url}/billing", "cancel_url": f"{ada.base_url}/pricing"}
        wanted = {"holder_id": holder, "customer": customer["id"], "price": "price_pro_month"}
        page = api.post("/v1/checkouts", json=wanted | urls).json()["url"]
    assert httpx2.post(f"{page}/pay", data={"card": "good"}).status_code == 303


def test_what_is_bought_reaches_the_application_and_outlives_a_start(paid, serve):
    server = serve()
    standin = LINE.search(server.said)[1]
    with server.browser("ada") as ada:
        assert ada.get("/v1/me").json()["plan"]["name"] == "free"
        buy(standin, ada)
        wait_for_plan(ada, "pro")
    assert server.send(signal.SIGTERM) == 0
    again = serve()
    assert LINE.search(again.said)
    with again.browser("ada") as ada:
        wait_for_plan(ada, "pro")
    assert again.send(signal.SIGTERM) == 0
