"""Buying, changing, failing and ending as a program does it: the stand-in takes the money, its events come badly."""

from collections.abc import Iterator

import httpx2
import pytest

from journeys.selling import Sale, plan_of, selling, until


@pytest.fixture
def sale(database, tmp_path) -> Iterator[Sale]:
    with selling(database, tmp_path) as running:
        yield running


def post(client: httpx2.Client, path: str, **body: object) -> dict[str, object]:
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    found: dict[str, object] = answer.json()
    return found


def shown(client: httpx2.Client) -> dict[str, object]:
    found: dict[str, object] = client.get("/v1/subscription").json()["subscription"]
    return found


def paid(client: httpx2.Client) -> list[tuple[str, str, int, int]]:
    """What was paid, the oldest first."""
    items = client.get("/v1/payments").json()["items"]
    return [(one["reason"], one["status"], one["amount"], one["refunded"]) for one in reversed(items)]


def test_from_the_checkout_to_the_end(sale):
    with sale.server.sign_in() as ada:
        assert plan_of(ada) == "free"
        url = str(post(ada, "/v1/checkout", plan="pro", interval="month")["url"])
        assert url.startswith(sale.shop.url)
        assert post(ada, "/v1/checkout", plan="pro", interval="month")["url"] == url
        bought = sale.shop.pay(url)
        assert plan_of(ada) == "free"
        sale.carry(shuffled=1, times=2)
        until(lambda: plan_of(ada), "pro")
        until(lambda: paid(ada), [("initial", "paid", 900, 0)])
        assert ada.get("/v1/subscriptions").json()["items"] == [shown(ada)]
        second = ada.post("/v1/checkout", json={"plan": "team"})
        assert (second.status_code, second.json()["code"]) == (409, "billing.subscribed_already")

        changed = post(ada, "/v1/subscription/change", plan="team", proration="invoice")
        assert (changed["plan"], changed["status"], plan_of(ada)) == ("team", "active", "team")
        ending = post(ada, "/v1/subscription/cancel")
        assert ending["cancel_at"] == ending["period_end"] == ending["access_until"]
        assert post(ada, "/v1/subscription/resume")["cancel_at"] is None
        assert post(ada, "/v1/subscription/pause")["access"] == "none"
        assert plan_of(ada) == "free"
        assert post(ada, "/v1/subscription/resume")["access"] == "full"
        sale.carry(shuffled=2)
        until(lambda: paid(ada)[1:], [("change", "paid", 2000, 0)])

        sale.shop.refund(sale.shop.payments(bought)[0].id, 300)
        sale.shop.fail_payments(bought)
        sale.shop.let_pass(bought)
        sale.carry(shuffled=3)
        until(lambda: shown(ada)["access"], "grace")
        failed = [
            ("initial", "partially_refunded", 900, 300),
            ("change", "paid", 2000, 0),
            ("renewal", "failed", 2900, 0),
        ]
        until(lambda: paid(ada), failed)
        assert plan_of(ada) == "team"
        assert post(ada, "/v1/subscription/cancel", at_once=True)["status"] == "canceled"
        sale.carry()
        sale.carry_again(shuffled=4)
        sale.settle()
        assert (plan_of(ada), paid(ada)) == ("free", failed)


def test_while_the_provider_is_away_nothing_is_changed_and_what_was_known_is_shown(sale):
    with sale.server.sign_in("grace") as grace:
        sale.shop.pay(str(post(grace, "/v1/checkout", plan="pro")["url"]))
        sale.carry()
        until(lambda: plan_of(grace), "pro")
        sale.settle()
        sale.shop.fault("away", count=1000)
        for path, body in (
            ("/v1/portal", {}),
            ("/v1/subscription/change", {"plan": "team"}),
            ("/v1/subscription/cancel", {}),
        ):
            refused = grace.post(path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (503, "billing.provider_away"), path
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) >= 1
        assert (shown(grace)["plan"], shown(grace)["cancel_at"], plan_of(grace)) == ("pro", None, "pro")
        assert [one[:3] for one in paid(grace)] == [("initial", "paid", 900)]
        sale.shop.clear()
        assert post(grace, "/v1/subscription/cancel")["cancel_at"] is not None
