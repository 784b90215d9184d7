"""`tenantry run` as a program: from an empty folder to an answer, stopped, refused."""

import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tenantry.testing.standins import start_binance


@pytest.fixture
def exchange(monkeypatch):
    """Prices from a stand-in of the test's own: nothing asks the internet."""
    with start_binance() as running:
        monkeypatch.setenv("TENANTRY_BINANCE_BASE_URL", running.url)
        yield running


def test_from_an_empty_folder_to_a_dashboard_with_a_past(tenantry, serve, monkeypatch):
    assert tenantry("new", "shop").status == 0
    monkeypatch.chdir("shop")
    server = serve()
    assert server.get("/healthz").json() == {"status": "ok"}
    assert "var/tenantry.db (made just now, with demo data)" in server.said

    with server.browser("ada") as ada:
        assert ada.get("/v1/me").json()["email"] == "ada@example.com"
        used = ada.get("/v1/me/usage").json()
        assert used["plan"] == "free"
        assert used["items"][0]["used"] > 0
        past = ada.get("/v1/me/usage/requests/history?days=30").json()["items"]
        assert len(past) >= 29
        assert "Shop" in ada.get("/dashboard").text
    with server.browser("grace") as grace:
        assert grace.get("/v1/me/usage").json()["plan"] == "pro"

    assert server.send(signal.SIGTERM) == 0
    assert server.said.endswith("Stopped.\n")
    assert "Traceback" not in server.said


def test_a_second_start_changes_nothing_and_says_so(product, exchange, serve):
    first = serve()
    assert first.send(signal.SIGINT) == 0
    with closing(sqlite3.connect("var/tenantry.db")) as connection:
        counted = connection.execute("SELECT count(*) FROM usage_counters").fetchall()
    second = serve()
    assert "made just now" not in second.said
    assert second.send(signal.SIGINT) == 0
    with closing(sqlite3.connect("var/tenantry.db")) as connection:
        assert connection.execute("SELECT count(*) FROM usage_counters").fetchall() == counted


def test_a_database_that_is_behind_is_migrated_in_development(product, exchange, tenantry, serve):
    assert tenantry("db", "migrate").status == 0
    assert tenantry("db", "rollback", "--to", "base", "--yes").status == 0
    assert serve("--no-demo").get("/readyz").status_code == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_in_a_terminal_stops_every_process_without_a_stack(workers, product, exchange, serve):
    server = serve("--workers", str(workers))
    assert server.get("/readyz").status_code == 200
    assert server.send(signal.SIGINT, to_group=True) == 0
    assert "Traceback" not in server.said
    assert server.said.endswith("Stopped.\n")


def test_the_address_is_said_once_every_process_answers(product, exchange, serve):
    server = serve("--workers", "2")
    # No patience: what was said is true from then on.
    with httpx2.Client(base_url=server.url) as client:
        for _ in range(4):
            assert client.get("/readyz", headers={"Connection": "close"}).status_code == 200
    assert server.said.count(" is at http") == 1
    assert server.send(signal.SIGTERM) == 0
    assert server.said.count(" is at http") == 1


def test_several_processes_share_a_database_and_its_sessions(product, exchange, serve, wait_for):
    server = serve("--workers", "2")
    assert "Processes" in server.said
    with server.browser("ada") as ada:

        def used():
            return ada.get("/v1/me/usage").json()["items"][0]["used"]

        before = used()
        for _ in range(20):
            # Without a connection that is kept, either process may answer.
            assert ada.get("/v1/prices/BTCUSDT", headers={"Connection": "close"}).status_code == 200
        # What the other process has not settled yet, it settles within the time of a lease.
        wait_for(lambda: used() == before + 20)
    assert server.send(signal.SIGTERM) == 0


def test_a_change_of_the_product_is_served_and_a_broken_one_is_told(product, exchange, serve, wait_for):
    server = serve("--reload")
    good = product.read_text()
    product.write_text(good + "\nx = (")
    wait_for(lambda: "was never closed" in server.said)
    product.write_text(good.replace('"Acme"', '"Renamed"'))
    wait_for(lambda: "Renamed" in _text(server, "/"))
    assert server.send(signal.SIGTERM) == 0


def test_without_demo_nothing_stands_in(product, serve):
    server = serve("--no-demo", TENANTRY_BINANCE_BASE_URL="http://127.0.0.1:9")
    assert "Sign-in" not in server.said
    assert server.get("/auth/demo/start").status_code == 404
    with closing(sqlite3.connect("var/tenantry.db")) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_nobody_stands_in_for_sign_in_when_others_may_reach_the_server(product, exchange, serve):
    server = serve(TENANTRY_PUBLIC_URL="http://shop.example.com")
    assert "no demo, because http://shop.example.com may be open to others" in server.said


def test_a_port_that_is_taken_is_told(product, program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = program("run", "--port", str(port))
    assert answer.status == 1
    assert f"Port {port} on 127.0.0.1 is taken." in answer.err
    assert "--port" in answer.err.splitlines()[1]
    assert not Path("var").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--host", "192.0.2.1"], {}, "no address of this machine"),
        (["nothing.py"], {}, "There is no such file."),
        ([], {"TENANTRY_PORTT": "1"}, "Did you mean TENANTRY_PORT?"),
        ([], {"TENANTRY_ENVIRONMENT": "production"}, "TENANTRY_SECRET_KEYS"),
        (["--demo"], {"TENANTRY_ENVIRONMENT": "production"}, "--demo is refused in production"),
        (["--reload"], {"TENANTRY_ENVIRONMENT": "production"}, "--reload is refused in production"),
    ],
)
def test_what_cannot_start_is_told_without_a_stack(arguments, environment, told, product, program):
    answer = program("run", *arguments, "--port", "0", **environment)
    assert answer.status == 1
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_a_broken_product_is_told_with_everything(empty_folder, program):
    (empty_folder / "product.py").write_text('from tenantry import Product, Plan\nproduct = Product("", plans=[])\n')
    answer = program("run", "--port", "0")
    assert answer.status == 1
    assert len([line for line in answer.err.splitlines() if line.startswith("error:")]) >= 2


def test_postgresql_is_migrated_by_a_person(product, exchange, addresses, tenantry, program, serve):
    assert tenantry("db", "init", **addresses).status == 0
    behind = program("run", "--port", "0", **addresses)
    assert behind.status == 1
    assert "Run `tenantry db migrate`." in behind.err
    assert tenantry("db", "migrate", **addresses).status == 0
    server = serve(**addresses)
    assert server.get("/readyz").status_code == 200
    assert "api-secret" not in server.said


def test_a_server_that_is_away_is_told(product, exchange, addresses, program):
    away = {name: address.replace(str(_port(address)), "9") for name, address in addresses.items()}
    answer = program("run", "--port", "0", TENANTRY_CONNECT_RETRIES="0", **away)
    assert answer.status == 1
    assert "the database does not answer" in answer.err
    assert "Traceback" not in answer.err + answer.out
    assert "api-secret" not in answer.err


def test_production_logs_lines_and_needs_a_migrated_database(product, exchange, tenantry, program, serve):
    production = {
        "TENANTRY_ENVIRONMENT": "production",
        "TENANTRY_SECRET_KEYS": "k" * 40,
        "TENANTRY_PUBLIC_URL": "https://shop.example.com",
        "TENANTRY_GOOGLE_CLIENT_ID": "id",
        "TENANTRY_GOOGLE_CLIENT_SECRET": "secret",
    }
    behind = program("run", "--port", "0", **production)
    assert behind.status == 1
    assert "tenantry db migrate" in behind.err
    assert tenantry("db", "migrate", "--yes", **production).status == 0
    port = _free_port()
    server = serve("--port", str(port), ready=f"http://127.0.0.1:{port}", **production)
    assert server.get("/healthz").status_code == 200
    assert server.send(signal.SIGTERM) == 0
    assert all(line.startswith("{") for line in server.said.splitlines() if not line.startswith(("warning:", " ")))
    assert "demo" not in server.said


def _text(server, path):
    try:
        return server.get(path).text
    except httpx2.TransportError:
        return ""


def _port(address):
    return address.rpartition(":")[2].partition("/")[0]


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
