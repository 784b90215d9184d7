"""The stand-in payment provider is a real one to its client: pages, an API, and events that arrive or do not."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import httpx2
import pytest

from tenantry import Plan, Price, Product
from tenantry.billing.demo import DEMO_KEY
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.standins import start_billing
from tenantry.testing.standins.billing import BillingStandIn
from tenantry.testing.standins.billing_shop import Refused

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PRODUCT = Product(
    "Acme",
    plans=[
        Plan("free", price=0),
        Plan("pro", price=900, features=["Fifty requests"], other_prices=[Price(9000, interval="year")]),
        Plan("team", price=2900),
    ],
)
SITE = "http://127.0.0.1:8000"
HTML = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def shop(clock: FrozenClock) -> Iterator[BillingStandIn]:
    with start_billing(PRODUCT, now=clock.now) as running:
        yield running


@pytest.fixture
def api(shop: BillingStandIn) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=shop.url, headers={"authorization": f"Bearer {DEMO_KEY}"}) as client:
        yield client


def checkout(api: httpx2.Client, *, price: str = "price_pro_month", holder: str = "h1", **wanted) -> str:
    """The address of a page to pay on."""
    customer = api.post("/v1/customers", json={"holder_id": holder, "email": f"{holder}@example.com"}).json()["item"]
    asked = {"holder_id": holder, "customer": customer["id"], "price": price} | wanted
    urls = {"success_url": f"{SITE}/billing/success", "cancel_url": f"{SITE}/pricing"}
    answer = api.post("/v1/checkouts", json=urls | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["url"]


def portal(api: httpx2.Client, customer: str) -> str:
    return api.post("/v1/portals", json={"customer": customer, "return_url": f"{SITE}/billing"}).json()["url"]


def subscription(api: httpx2.Client, external_id: str) -> dict:
    return api.get(f"/v1/subscriptions/{external_id}").json()["item"]


def press(api: httpx2.Client, page: str, what: str, **form: str) -> httpx2.Response:
    return api.post(f"{page}/{what}", data=form)


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_the_checkout_says_what_it_is_and_what_is_bought(api):
    page = httpx2.get(checkout(api, trial_days=14, coupon="HALF"))
    assert page.status_code == 200
    for text in (
        "no money moves",
        "Acme Pro",
        "9.00 USD a month",
        "14 days free",
        "HALF",
        "50 % off",
        "h1@example.com",
    ):
        assert text.lower() in page.text.lower(), text
    assert "form-action 'self' http://127.0.0.1:8000;" in page.headers["content-security-policy"]
    assert "<script" not in page.text


def test_paying_leads_back_and_is_done_once(api):
    url = checkout(api)
    paid = httpx2.post(f"{url}/pay", data={"card": "good"})
    assert (paid.status_code, paid.headers["location"]) == (303, f"{SITE}/billing/success")
    assert httpx2.post(f"{url}/pay", data={"card": "good"}).status_code == 402
    assert "paid for already" in httpx2.get(url).text
    assert len(api.get("/v1/subscriptions").json()["items"]) == 1


def test_a_declined_card_is_told_and_can_be_followed_by_a_good_one(api, shop):
    url = checkout(api)
    declined = httpx2.post(f"{url}/pay", data={"card": "declined"})
    assert declined.status_code == 402
    assert "The card was declined." in declined.text
    assert api.get("/v1/subscriptions").json()["items"] == []
    assert [one.event for one in shop.events] == ["customer.created", "payment.failed"]
    assert httpx2.post(f"{url}/pay", data={"card": "good"}).status_code == 303


@pytest.mark.parametrize(("coupon", "amount"), [(None, 900), ("HALF", 450), ("FREE", 0), ("NONE", 900)])
def test_a_coupon_takes_from_the_first_payment_only(api, shop, clock, coupon, amount):
    made = shop.pay(checkout(api, coupon=coupon))
    clock.move(days=40)
    assert [one.amount for one in shop.payments(made)] == [amount, 900]


def test_a_trial_is_paid_for_when_it_ends(api, shop, clock):
    made = shop.pay(checkout(api, trial_days=14, coupon="HALF"))
    assert subscription(api, made)["status"] == "trialing"
    assert shop.payments(made) == []
    clock.move(days=14)
    assert subscription(api, made)["status"] == "active"
    assert [one.amount for one in shop.payments(made)] == [450]


def test_the_portal_manages_a_subscription(api, shop, clock):
    made = shop.pay(checkout(api))
    page = portal(api, subscription(api, made)["customer"])
    text = httpx2.get(page).text
    for words in ("Acme Pro", "2026-02-28", "Change the plan", "Cancel with the period", "T-00001", "no money moves"):
        assert words.lower() in text.lower(), words
    for what, form, field, expected in [
        ("plan", {"price": "price_team_month"}, "price", "price_team_month"),
        ("cancel", {}, "cancel_at", "2026-02-28T12:00:00Z"),
        ("resume", {}, "cancel_at", None),
        ("pause", {}, "status", "paused"),
        ("resume", {}, "status", "active"),
        ("fail", {}, "failures", 1),
        ("pass", {}, "status", "past_due"),
        ("pass", {}, "status", "active"),
        ("end", {}, "status", "canceled"),
    ]:
        answer = press(api, page, what, subscription=made, **form)
        assert (answer.status_code, answer.headers["location"]) == (303, page.removeprefix(shop.url)), what
        assert subscription(api, made)[field] == expected, what
    refused = press(api, page, "cancel", subscription=made)
    assert refused.status_code == 409
    assert "It has ended." in refused.text


def test_a_refund_is_made_in_the_portal_and_on_the_receipt(api, shop):
    made = shop.pay(checkout(api))
    page = portal(api, subscription(api, made)["customer"])
    (paid,) = shop.payments(made)
    assert press(api, page, "refund", payment=paid.id, amount="300").status_code == 303
    receipt = httpx2.get(paid.receipt_url)
    assert receipt.status_code == 200
    for words in ("Receipt T-00001", "9.00 USD", "3.00 USD", "partially refunded", "no receipt of a real payment"):
        assert words in receipt.text, words
    for wrong in ("601", "0", "-1", "1.5", "٣", "9" * 30):
        assert press(api, page, "refund", payment=paid.id, amount=wrong).status_code == 409, wrong
    assert press(api, page, "refund", payment=paid.id).status_code == 303
    assert shop.payments(made)[0].status == "refunded"


def test_a_portal_manages_what_is_its_customers_only(api, shop):
    mine, theirs = shop.pay(checkout(api)), shop.pay(checkout(api, holder="h2"))
    page = portal(api, subscription(api, mine)["customer"])
    assert press(api, page, "end", subscription=theirs).status_code == 404
    assert press(api, page, "refund", payment=shop.payments(theirs)[0].id).status_code == 404
    assert subscription(api, theirs)["status"] == "active"


def test_a_page_of_another_site_presses_no_button(api):
    url = checkout(api)
    for origin in ("https://evil.example", "null", SITE):
        assert httpx2.post(f"{url}/pay", data={"card": "good"}, headers={"origin": origin}).status_code == 403
    assert api.get("/v1/subscriptions").json()["items"] == []


@pytest.mark.parametrize("path", ["/checkouts/che_x", "/portals/por_x", "/receipts/pay_x"])
def test_an_unknown_page_is_not_found(shop, path):
    answer = httpx2.get(shop.url + path)
    assert answer.status_code == 404
    assert "This page has ended" in answer.text


def test_a_page_ends_after_a_day(api, clock):
    url = checkout(api)
    clock.move(days=2)
    assert httpx2.get(url).status_code == 404
    assert httpx2.post(f"{url}/pay", data={"card": "good"}).status_code == 404


def test_text_of_others_is_no_html(api):
    customer = api.post("/v1/customers", json={"holder_id": "h", "email": "<b>@x"}).json()["item"]
    assert "<b>@x" not in httpx2.get(portal(api, customer["id"])).text


# --- The API ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "javascript:alert(1)", "//evil.example", "", "http://127.0.0.1.evil.example/"]
)
def test_nobody_is_led_off_this_machine(api, url):
    customer = api.post("/v1/customers", json={"holder_id": "h", "email": "a@b"}).json()["item"]["id"]
    wanted = {"holder_id": "h", "customer": customer, "price": "price_pro_month", "cancel_url": SITE}
    assert api.post("/v1/checkouts", json=wanted | {"success_url": url}).status_code == 409
    assert api.post("/v1/portals", json={"customer": customer, "return_url": url}).status_code == 409


def test_the_api_asks_for_its_key(shop):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer é".encode()}):
        assert httpx2.get(f"{shop.url}/v1/products", headers=headers).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"holder_id": 7}', b"\xff"])
def test_what_cannot_be_read_is_refused(api, body):
    for path in ("customers", "checkouts", "portals"):
        assert api.post(f"/v1/{path}", content=body).status_code == 422


def test_it_listens_on_loopback_only(shop):
    assert shop.host == "127.0.0.1"


# --- Time ------------------------------------------------------------------------------------------------------------


def test_months_end_when_they_end(api, shop, clock):
    made = shop.pay(checkout(api))
    ends = []
    for _ in range(4):
        ends.append(subscription(api, made)["period_end"][:10])
        clock.set(datetime.fromisoformat(subscription(api, made)["period_end"]))
    assert ends == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


def test_a_year_that_was_slept_through_is_paid_for_month_by_month(api, shop, clock):
    made = shop.pay(checkout(api))
    clock.move(days=365)
    assert subscription(api, made)["period_end"] > "2027-01-31"
    assert Counter(one.reason for one in shop.payments(made)) == {"initial": 1, "renewal": 12}


def test_a_failed_payment_is_tried_again_until_it_is_given_up(api, shop, clock):
    made = shop.pay(checkout(api))
    shop.fail_payments(made, 9)
    clock.move(days=28)
    states = [subscription(api, made)["status"]]
    for days in (1, 3, 5, 7):
        clock.move(days=days)
        states.append(subscription(api, made)["status"])
    assert states == ["past_due", "past_due", "past_due", "past_due", "unpaid"]
    assert [one.status for one in shop.payments(made)] == ["paid", "failed"]
    shop.fail_payments(made, 0)
    shop.let_pass(made)
    assert subscription(api, made)["status"] == "active"
    assert [one.status for one in shop.payments(made)] == ["paid", "paid"]


def test_a_failed_payment_that_is_made_later_is_the_same_one(api, shop, clock):
    made = shop.pay(checkout(api))
    shop.fail_payments(made)
    clock.move(days=28)
    assert subscription(api, made)["status"] == "past_due"
    assert subscription(api, made)["past_due_since"] == "2026-02-28T12:00:00Z"
    clock.move(days=1)
    found = subscription(api, made)
    assert (found["status"], found["past_due_since"]) == ("active", None)
    assert [(one.status, one.reason) for one in shop.payments(made)] == [("paid", "initial"), ("paid", "renewal")]


@pytest.mark.parametrize(
    ("proration", "payments", "renewal"),
    [("invoice", [900, 1000], 2900), ("prorate", [900], 3900), ("none", [900], 2900)],
)
def test_a_dearer_plan_is_settled_as_asked(api, shop, clock, proration, payments, renewal):
    made = shop.pay(checkout(api))
    clock.move(days=14)
    change = {"kind": "plan", "price": "price_team_month", "proration": proration}
    assert api.post(f"/v1/subscriptions/{made}/changes", json=change).status_code == 200
    assert [one.amount for one in shop.payments(made)] == payments
    clock.move(days=14)
    assert subscription(api, made)["status"] == "active"
    assert shop.payments(made)[-1].amount == renewal


def test_a_cheaper_plan_is_credited(api, shop, clock):
    made = shop.pay(checkout(api, price="price_team_month"))
    clock.move(days=14)
    change = {"kind": "plan", "price": "price_pro_month", "proration": "invoice"}
    api.post(f"/v1/subscriptions/{made}/changes", json=change)
    clock.move(days=14)
    subscription(api, made)
    clock.move(days=31)
    subscription(api, made)
    assert [one.amount for one in shop.payments(made)] == [2900, 0, 800]


def test_another_interval_begins_anew(api, shop, clock):
    made = shop.pay(checkout(api))
    clock.move(days=14)
    api.post(f"/v1/subscriptions/{made}/changes", json={"kind": "plan", "price": "price_pro_year"})
    found = subscription(api, made)
    assert (found["period_start"][:10], found["period_end"][:10]) == ("2026-02-14", "2027-02-14")
    assert [(one.amount, one.reason) for one in shop.payments(made)] == [(900, "initial"), (8550, "change")]


@pytest.mark.parametrize("price", ["price_team_month", "price_pro_year"])
def test_a_declined_card_changes_no_plan(api, shop, price):
    made = shop.pay(checkout(api))
    shop.fail_payments(made)
    change = {"kind": "plan", "price": price, "proration": "invoice"}
    assert api.post(f"/v1/subscriptions/{made}/changes", json=change).json() == {"error": "The card was declined."}
    assert subscription(api, made)["price"] == "price_pro_month"
    assert [one.status for one in shop.payments(made)] == ["paid", "failed"]


def test_a_pause_that_outlasts_the_period_begins_a_new_one(api, shop, clock):
    made = shop.pay(checkout(api))
    until = (START + timedelta(days=60)).isoformat()
    api.post(f"/v1/subscriptions/{made}/changes", json={"kind": "pause", "until": until})
    clock.move(days=59)
    assert subscription(api, made)["status"] == "paused"
    clock.move(days=2)
    found = subscription(api, made)
    assert (found["status"], found["period_start"][:10]) == ("active", "2026-04-02")
    assert len(shop.payments(made)) == 2


# --- Telling ---------------------------------------------------------------------------------------------------------


def names(taken) -> list[str]:
    return [json.loads(one.body)["event"] for one in taken]


def test_a_purchase_is_told_in_several_events(api, shop):
    shop.pay(checkout(api))
    told = ["customer.created", "subscription.started", "payment.paid", "checkout.completed"]
    assert names(shop.take()) == told
    assert shop.take() == []


def test_events_are_repeated_under_one_id(api, shop):
    shop.repeat(2)
    shop.pay(checkout(api))
    taken = shop.take()
    assert set(Counter(one.event_id for one in taken).values()) == {3}
    shop.resend(taken[0].event_id)
    assert [one.event_id for one in shop.take()] == [taken[0].event_id]
    with pytest.raises(KeyError):
        shop.resend("evt_none")


def test_events_are_held_and_shuffled(api, shop):
    shop.hold()
    for number in range(5):
        shop.pay(checkout(api, holder=f"h{number}"))
    assert shop.take() == []
    shop.release(shuffled=7)
    taken = [one.event_id for one in shop.take()]
    in_order = [one.id for one in shop.events]
    assert taken != in_order
    assert sorted(taken) == sorted(in_order)


def test_lost_events_are_never_sent_but_known(api, shop):
    shop.lose(2)
    shop.pay(checkout(api))
    assert names(shop.take()) == ["payment.paid", "checkout.completed"]
    missed = api.get("/v1/events", params={"undelivered": "1"}).json()["items"]
    assert [one["event"] for one in missed] == ["customer.created", "subscription.started"]
    shop.resend(missed[1]["id"])
    assert names(shop.take()) == ["subscription.started"]
    assert len(api.get("/v1/events", params={"undelivered": "1"}).json()["items"]) == 1


def test_clearing_ends_all_trouble(api, shop):
    shop.hold()
    shop.repeat(3)
    shop.lose(1)
    shop.clear()
    shop.pay(checkout(api))
    assert len(shop.take()) == 4


def test_the_desk_shows_and_steers(api, shop):
    shop.pay(checkout(api))
    desk = httpx2.get(shop.url)
    assert "Acme Pro" in desk.text
    assert "subscription.started" in desk.text
    event = re.search(r'name="event" value="(evt_\w+)"', desk.text)[1]
    shop.take()
    assert api.post("/desk/resend", data={"event": event}).status_code == 303
    assert [one.event_id for one in shop.take()] == [event]
    assert api.post("/desk/chaos", data={"repeat": "1", "lose": "", "is_holding": "on"}).status_code == 303
    shop.cancel(api.get("/v1/subscriptions").json()["items"][0]["id"])
    assert shop.take() == []
    assert api.post("/desk/release", data={"shuffled": "1"}).status_code == 303
    assert names(shop.take()) == ["subscription.cancelling"] * 2
    customer = api.get("/v1/customers").json()["items"][0]["id"]
    opened = api.post("/desk/portal", data={"customer": customer})
    assert "Acme Pro" in httpx2.get(shop.url + opened.headers["location"]).text
    for wrong in ({"repeat": "many"}, {"repeat": "9" * 20}, {"delay": "nan"}, {"delay": "inf"}, {}):
        assert api.post("/desk/chaos", data=wrong, headers=HTML).status_code == 303
        shop.cancel(api.get("/v1/subscriptions").json()["items"][0]["id"])
        assert names(shop.take()) == ["subscription.cancelling"], wrong
    assert api.post("/desk/resend", data={"event": "evt_none"}).status_code == 404
    assert api.post("/desk/nothing").status_code == 404


class Application:
    """Takes events, once it is up, and refuses the first few when told to."""

    def __init__(self, port: int = 0, *, refuse: int = 0) -> None:
        self.bodies: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                nonlocal refuse
                body = self.rfile.read(int(self.headers["content-length"]))
                refuse -= 1
                if refuse < 0:
                    outer.bodies.append(body)
                self.send_response(204 if refuse < 0 else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/fake"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def bought_at(shop: BillingStandIn) -> str:
    with httpx2.Client(base_url=shop.url, headers={"authorization": f"Bearer {DEMO_KEY}"}) as api:
        return shop.pay(checkout(api))


def test_events_are_carried_to_the_application():
    with Application() as app, start_billing(PRODUCT, told=app.url) as shop:
        bought_at(shop)
        shop.wait()
        assert [json.loads(one)["id"] for one in app.bodies] == [one.id for one in shop.events]
        assert {one.status for one in shop.events} == {"delivered"}


def test_a_refused_event_is_carried_again():
    with Application(refuse=6) as app, start_billing(PRODUCT, told=app.url) as shop:
        bought_at(shop)
        shop.wait()
        assert {json.loads(one)["id"] for one in app.bodies} == {one.id for one in shop.events}


def test_events_wait_for_the_application_to_start():
    with Application() as probe:
        address = probe.url
    with start_billing(PRODUCT, told=address) as shop:
        bought_at(shop)
        assert {one.status for one in shop.events} == {"pending"}
        with Application(int(re.search(r":(\d+)/", address)[1])) as app:
            shop.wait()
            assert len(app.bodies) == 4


def test_an_event_that_is_delayed_comes_later():
    with Application() as app, start_billing(PRODUCT, told=app.url) as shop:
        shop.delay(0.3)
        bought_at(shop)
        assert app.bodies == []
        shop.wait()
        assert len(app.bodies) == 4


# --- Books -----------------------------------------------------------------------------------------------------------


def test_the_books_outlive_a_start(tmp_path, clock):
    file = tmp_path / "var" / "payments.json"
    with start_billing(PRODUCT, file=file, now=clock.now) as shop:
        made, port = bought_at(shop), shop.port
    with start_billing(PRODUCT, file=file, now=clock.now) as again:
        assert again.port == port
        (paid,) = again.payments(made)
        assert httpx2.get(paid.receipt_url).status_code == 200
        # What was never taken is still to be told.
        assert len(again.take()) == 4


def test_a_plan_that_is_not_declared_any_more_is_kept_but_not_sold(tmp_path, clock):
    file = tmp_path / "payments.json"
    with start_billing(PRODUCT, file=file, now=clock.now) as shop:
        made = bought_at(shop)
    smaller = Product("Acme", plans=[Plan("free", price=0), Plan("team", price=3900)])
    with (
        start_billing(smaller, file=file, now=clock.now) as again,
        httpx2.Client(base_url=again.url, headers={"authorization": f"Bearer {DEMO_KEY}"}) as api,
    ):
        prices = {one["id"]: one for one in api.get("/v1/prices").json()["items"]}
        assert (prices["price_pro_month"]["is_active"], prices["price_team_month"]["amount"]) == (False, 3900)
        assert subscription(api, made)["status"] == "active"
        customer = subscription(api, made)["customer"]
        wanted = {"holder_id": "h", "customer": customer, "price": "price_pro_month"}
        urls = {"success_url": SITE, "cancel_url": SITE}
        assert api.post("/v1/checkouts", json=wanted | urls).json() == {"error": "This price is not for sale."}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"products": 7}', "\x00"])
def test_books_that_cannot_be_read_begin_anew(tmp_path, text):
    file = tmp_path / "payments.json"
    file.write_text(text)
    with start_billing(PRODUCT, file=file) as shop:
        assert shop.events == []


def test_books_that_cannot_be_written_end_with_it(tmp_path):
    (tmp_path / "taken").write_text("")
    with start_billing(PRODUCT, file=tmp_path / "taken" / "payments.json") as shop:
        assert bought_at(shop)


def test_a_button_of_a_test_refuses_as_a_page_does(api, shop):
    with pytest.raises(Refused, match="declined"):
        shop.pay(checkout(api), is_declined=True)
