import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tenantry.kernel.logs import access_log, configure_logs, logger_of, request_id_of_logs

SECRET = "Zx9Planted0Secret7Qw"


@pytest.fixture
def untouched() -> Iterator[None]:
    """Put back what `configure_logs` changes for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = logging.getLogger("uvicorn.access").disabled
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = quiet
    structlog.reset_defaults()


def configured(*, production: bool = True) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(production=production, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.usefixtures("untouched")
def test_everybodys_loggers_end_in_one_place() -> None:
    stream = configured()
    logger_of("tenantry.test").info("one", count=1)
    structlog.get_logger("author").warning("two %s", "x")
    logging.getLogger("uvicorn.error").info("three %s", "x", extra={"color_message": "no", "port": 8000})
    logging.getLogger("sqlalchemy.engine").warning("four")
    logging.getLogger("uvicorn.access").info("not here")
    logger_of("tenantry.test").debug("nor here")
    found = lines(stream)
    assert [(line["event"], line["level"], line["logger"]) for line in found] == [
        ("one", "info", "tenantry.test"),
        ("two x", "warning", "author"),
        ("three x", "info", "uvicorn.error"),
        ("four", "warning", "sqlalchemy.engine"),
    ]
    assert found[0]["count"] == 1
    assert found[2]["port"] == 8000
    assert all(line["timestamp"].endswith("Z") for line in found)
    assert not {"color_message", "exc_info", "_record"} & {name for line in found for name in line}


@pytest.mark.usefixtures("untouched")
def test_secrets_are_masked_whoever_logs() -> None:
    for production in (True, False):
        stream = configured(production=production)
        logger_of("tenantry.test").info(f"Bearer {SECRET}", password=SECRET, deep={"list": [{"api_key": SECRET}]})
        logging.getLogger("foreign").warning("token=%s", SECRET, extra={"client_secret": SECRET})
        structlog.get_logger("author").info("x", url=f"postgresql://app:{SECRET}@db/app")
        assert SECRET not in stream.getvalue()
        assert stream.getvalue().count("***") >= 5


def crash() -> None:
    only_here = SECRET
    raise RuntimeError(f"password={only_here}")


@pytest.mark.usefixtures("untouched")
def test_exceptions_come_without_local_variables() -> None:
    for production in (True, False):
        stream = configured(production=production)
        for logger in (logger_of("tenantry.test"), logging.getLogger("foreign"), structlog.get_logger("author")):
            try:
                crash()
            except RuntimeError as error:
                logger.exception("failed")
                logger.error("failed again", exc_info=error)  # noqa: TRY400 - the other way to log one.
        assert SECRET not in stream.getvalue()
        assert stream.getvalue().count("RuntimeError: password=***") == 6
        assert stream.getvalue().count("in crash") == 6


@pytest.mark.usefixtures("untouched")
def test_the_request_id_is_in_every_line_of_a_request() -> None:
    stream = configured()
    bound = request_id_of_logs.set("r1")
    logger_of("tenantry.test").info("inside")
    logging.getLogger("foreign").warning("inside too")
    request_id_of_logs.reset(bound)
    logger_of("tenantry.test").info("outside")
    assert [line.get("request_id") for line in lines(stream)] == ["r1", "r1", None]


def test_a_logger_is_safe_where_nothing_was_configured(caplog: pytest.LogCaptureFixture) -> None:
    try:
        crash()
    except RuntimeError:
        logger_of("tenantry.unconfigured").exception("failed", token=SECRET)
    assert SECRET not in caplog.text
    assert "RuntimeError: password=***" in caplog.text


@pytest.mark.usefixtures("untouched")
def test_what_cannot_be_encoded_does_not_lose_the_line() -> None:
    stream = configured()
    logger_of("tenantry.test").info(
        "odd", text="\ud800", number=2**80, thing=object(), many={1, 2}, infinite=float("inf")
    )
    assert lines(stream)[0]["event"] == "odd"


def test_the_access_line() -> None:
    stream = io.StringIO()
    access_log(production=True, stream=stream)("GET", "/v1/keys/{key_id}", 200, 0.0123456, "r1")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/v1/keys/{key_id}",
        "status": 200,
        "ms": 12.35,
        "request_id": "r1",
    }
    stream = io.StringIO()
    access_log(production=False, stream=stream)("GET", "/v1/keys/{key_id}", 200, 0.0123456, "r1")
    assert "200 GET     /v1/keys/{key_id}  12.3 ms  r1" in stream.getvalue()
