"""Two server processes sell on one database. One is killed while it works, connections drop: all of it happens once."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from journeys.selling import DEAD, UNSETTLED, asked, plan_of, post, selling_twice, until
from tenantry.testing import Server

# Nobody waits two minutes in a test: as if the time of who held them were over.
TIME_PASSES = (
    "UPDATE billing_events SET leased_until = received_at WHERE lease IS NOT NULL AND finished_at IS NULL",
    "DELETE FROM billing_locks",
)
READING = "SELECT count(*) FROM billing_locks WHERE object_kind = 'subscription'"
PAYMENTS = "SELECT status, amount_minor, refunded_minor FROM payments"
PLANS_SET = "SELECT count(*) FROM audit_log WHERE action = 'billing.plan_set'"
PAID = "SELECT count(*) FROM billing_facts WHERE fact LIKE 'payment:%:paid'"
DROPPED = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'tenantry_test'"
SLOW_SECONDS = 8


@pytest.fixture
def place(database, tmp_path) -> Iterator[tuple[Any, Any]]:
    with selling_twice(database, tmp_path) as (shop, begin), ExitStack() as stack:
        yield shop, lambda: stack.enter_context(begin())


def kill(server: Server) -> None:
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)


@pytest.mark.timeout(180)
def test_the_plan_comes_once_and_the_payment_once_whoever_dies(place, database, request):
    shop, begin = place
    first = begin()
    with first.sign_in() as ada:
        bought = shop.pay(ada.post("/v1/checkout", json={"plan": "pro"}).json()["url"])
    told = shop.take()
    shop.fault("slow", seconds=SLOW_SECONDS, count=1000)
    post(first, told)
    until(lambda: asked(database, READING), [(1,)])
    kill(first)  # between the event and the commit of what follows from it
    assert asked(database, PAYMENTS) == []
    shop.clear()
    for statement in TIME_PASSES:
        asked(database, statement)
    second = begin()
    with second.sign_in() as ada:
        until(lambda: plan_of(ada), "pro")
        until(lambda: asked(database, UNSETTLED), [(0,)])
        third = begin()
        for seed, server in enumerate((third, second)):
            post(server, told, shuffled=seed)
        shop.refund(shop.payments(bought)[0].id, 300)
        drop_connections_while_reading(shop, second, database, request)
        until(lambda: asked(database, UNSETTLED), [(0,)])
        assert asked(database, PAYMENTS) == [("partially_refunded", 900, 300)]
        assert [asked(database, sql) for sql in (PLANS_SET, PAID, DEAD)] == [[(1,)], [(1,)], []]

        in_force_in_the_other_process_too(ada, third)


def drop_connections_while_reading(shop, server, database, request) -> None:
    """PostgreSQL ends every connection; whoever was at work begins again."""
    if database.kind != "postgresql":
        post(server, shop.take())
        return
    shop.fault("slow", seconds=1, count=1)
    post(server, shop.take())
    until(lambda: asked(database, "SELECT count(*) > 0 FROM billing_locks"), [(True,)])
    drop = f"{DROPPED} AND pid <> pg_backend_pid()"
    asked(database, drop, by=request.getfixturevalue("postgres_server").url)
    shop.clear()
    for statement in TIME_PASSES[1:]:
        asked(database, statement)


def in_force_in_the_other_process_too(ada, other) -> None:
    def limit(client) -> object:
        return client.get("/v1/me/usage").json()["items"][0]["limit"]

    with other.sign_in() as elsewhere:
        assert (plan_of(elsewhere), limit(elsewhere)) == ("pro", 50)
        assert ada.post("/v1/subscription/change", json={"plan": "team"}).json()["plan"] == "team"
        until(lambda: (plan_of(elsewhere), limit(elsewhere)), ("team", 500))
        assert ada.post("/v1/subscription/cancel", json={"at_once": True}).json()["status"] == "canceled"
        until(lambda: (plan_of(elsewhere), limit(elsewhere)), ("free", 5))
