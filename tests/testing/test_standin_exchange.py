"""The stand-in exchange answers as the real one documents, and stand-ins stay on the machine."""

import httpx2
import pytest

from tenantry.testing.standins import is_reachable, start_binance, start_identity


def test_only_loopback_is_bound_and_a_taken_port_is_an_error() -> None:
    callback = "http://127.0.0.1/callback"
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(ValueError, match="loopback"):
            start_identity(redirect_uris=[callback], host=host)
    with start_binance() as taken, pytest.raises(OSError, match="in use"):
        start_binance(taken.port)


def test_the_exchange_answers_as_documented() -> None:
    with start_binance() as exchange, httpx2.Client(base_url=exchange.url) as http:
        assert is_reachable(exchange.url)
        assert "stand-in" in http.get("/").text
        one = http.get("/api/v3/ticker/24hr", params={"symbol": "BTCUSDT"})
        assert (one.json()["symbol"], one.headers["x-mbx-used-weight-1m"].isdigit()) == ("BTCUSDT", True)
        two = http.get("/api/v3/ticker/24hr", params={"symbols": '["BTCUSDT","ETHUSDT"]', "type": "MINI"}).json()
        assert [ticker["symbol"] for ticker in two] == ["BTCUSDT", "ETHUSDT"]
        assert "priceChange" not in two[0]
        codes = {
            "symbol=NOSUCH": -1121,
            "symbols=[%22BTCUSDT%22,%22NOSUCH%22]": -1121,
            "symbol=": -1102,
            "symbols=nonsense": -1102,
            "symbol=btcusdt": -1100,
            "symbol=BTCUSDT&symbols=[]": -1128,
        }
        answers = {query: http.get(f"/api/v3/ticker/24hr?{query}") for query in codes}
        assert {query: answer.json()["code"] for query, answer in answers.items()} == codes
        assert {answer.status_code for answer in answers.values()} == {400}
        listed = {one["symbol"]: one["status"] for one in http.get("/api/v3/exchangeInfo").json()["symbols"]}
        assert (listed["BTCUSDT"], listed["OLDUSDT"]) == ("TRADING", "BREAK")
    assert not is_reachable(exchange.url)


def test_the_exchange_counts_weight_and_refuses_what_is_too_much() -> None:
    with start_binance(weight_max=30) as exchange, httpx2.Client(base_url=exchange.url) as http:
        info = http.get("/api/v3/exchangeInfo", params={"symbol": "BTCUSDT"})
        limits = {one["rateLimitType"]: one["limit"] for one in info.json()["rateLimits"]}
        assert (limits["REQUEST_WEIGHT"], len(info.json()["symbols"])) == (30, 1)
        prices = http.get("/api/v3/ticker/price")
        assert {"symbol": "BTCUSDT", "price": "62400.00000000"} in prices.json()
        weights = [int(answer.headers["x-mbx-used-weight-1m"]) for answer in (info, prices)]
        http.get("/api/v3/ticker/24hr", params={"symbols": '["BTCUSDT","ETHUSDT"]'})
        refused = http.get("/api/v3/ticker/24hr")  # all of them cost 80
        assert (refused.status_code, refused.json()["code"]) == (429, -1003)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert weights in ([20, 24], [20, 4])  # the second where a minute began between them
        exchange.clear()
        assert http.get("/api/v3/ticker/24hr", params={"symbol": "BTCUSDT"}).status_code == 200
        assert exchange.asked == {"/api/v3/ticker/24hr": 1}


def test_the_exchanges_firewall_looks_for_words() -> None:
    with start_binance() as exchange:
        assert httpx2.get(f"{exchange.url}/api/v3/ticker/24hr?symbol=SELECT").status_code == 403


@pytest.mark.parametrize("uris", [[], ["https://evil.example/cb"], ["http://10.0.0.1/cb"], ["http://127.0.0.1/#a"]])
def test_redirects_that_leave_the_machine_are_refused_at_start(uris: list[str]) -> None:
    with pytest.raises(ValueError, match="redirect"):
        start_identity(redirect_uris=uris)
