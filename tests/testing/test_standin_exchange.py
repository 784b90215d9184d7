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


@pytest.mark.parametrize("uris", [[], ["https://evil.example/cb"], ["http://10.0.0.1/cb"], ["http://127.0.0.1/#a"]])
def test_redirects_that_leave_the_machine_are_refused_at_start(uris: list[str]) -> None:
    with pytest.raises(ValueError, match="redirect"):
        start_identity(redirect_uris=uris)
