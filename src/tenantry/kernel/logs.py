"""Logs: one line a fact, JSON in production, without secrets; everybody's loggers end in the same place."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, MutableMapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog

from .redaction import exception_text, redacted_member, scrubbed

# Carries the request's id into log records, and nothing else: identity and database are handed on as arguments.
request_id_of_logs: ContextVar[str | None] = ContextVar("request_id", default=None)

_FLUSH_SECONDS = 0.05

Event = MutableMapping[str, Any]
AccessLog = Callable[[str, str, int, float, str], None]


class AccessLine(msgspec.Struct, frozen=True):
    """One answered request. The route is the template, so that no id and no secret in an address is written."""

    timestamp: datetime
    level: str
    event: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str


def logger_of(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that is safe before, and without, `configure_logs`.

    structlog as it comes prints tracebacks with all local variables. This one masks secrets itself and then goes
    through the standard library's logger of that name, to whatever handlers the program has.
    """
    return cast(
        structlog.stdlib.BoundLogger,
        structlog.wrap_logger(
            logging.getLogger(name), processors=_TO_STDLIB, wrapper_class=structlog.stdlib.BoundLogger
        ),
    )


def configure_logs(*, production: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's loggers, uvicorn's too, through one formatter to `stream`.

    Called once by the program that starts the server or a command; standard output is the default.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter(production=production))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "fastapi", "sqlalchemy", "alembic", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ("httpx2", "httpcore2"):
        # They log whole addresses, and an address may carry what is nobody's business.
        logging.getLogger(name).setLevel(logging.WARNING)
    # The frame writes its own line, with the template in place of the address.
    logging.getLogger("uvicorn.access").disabled = True
    structlog.configure(
        processors=_TO_STDLIB,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def formatter(*, production: bool) -> logging.Formatter:
    """Return the formatter for a handler: JSON lines in production, readable lines otherwise."""
    last: Any = _json_line if production else structlog.dev.ConsoleRenderer(colors=False, sort_keys=False)
    shared: list[Any] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _plain_record],
        processors=[*shared, _without_meta, _exception_as_text, redact, last],
    )


def redact(logger: Any, method: str, event: Event) -> Event:
    """Mask what is secret anywhere in an event (a structlog processor); the event becomes plain data."""
    return {scrubbed(str(key)): redacted_member(str(key), value) for key, value in event.items()}


def access_log(*, production: bool, stream: TextIO | None = None) -> AccessLog:
    """Return what writes one line a request: `(method, route template, status, seconds, request id)`.

    It writes around the logging machinery, which costs more than the whole frame. Nothing in the line comes from the
    caller but the method and, behind trusted proxies, the request id; both are checked before. Lines reach the stream's
    end together, 50 ms after the first of them at the latest.
    """
    write = _Lines(stream or sys.stdout).write
    encode = msgspec.json.Encoder().encode

    def write_json(method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        ms = round(seconds * 1000, 2)
        line = AccessLine(datetime.now(UTC), "info", "request", method, route, status, ms, request_id)
        write(encode(line).decode() + "\n")

    def write_text(method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        now = time.strftime("%H:%M:%S", time.gmtime())
        write(f"{now} {status} {method:<7} {route}  {seconds * 1000:.1f} ms  {request_id}\n")

    return write_json if production else write_text


class _Lines:
    """Writes to a stream and flushes it a little later, once for many lines: a flush costs as much as the frame."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._flushing: asyncio.TimerHandle | None = None

    def write(self, line: str) -> None:
        self._out.write(line)
        if self._flushing is not None:
            return
        try:
            self._flushing = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)
        except RuntimeError:  # nobody's loop runs
            self._out.flush()

    def _flush(self) -> None:
        self._flushing = None
        if not self._out.closed:
            self._out.flush()


def _add_request_id(logger: Any, method: str, event: Event) -> Event:
    request_id = request_id_of_logs.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def _plain_record(logger: Any, method: str, event: Event) -> Event:
    # The colours uvicorn puts beside its text, and the arguments already merged into it.
    for name in ("color_message", "message", "taskName", "stack_info"):
        event.pop(name, None)
    return event


def _without_meta(logger: Any, method: str, event: Event) -> Event:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event


def _exception_as_text(logger: Any, method: str, event: Event) -> Event:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = exception_text(error)
    return event


def _json_line(logger: Any, method: str, event: Event) -> str:
    ordered = {name: event.pop(name) for name in ("timestamp", "level", "event", "logger") if name in event}
    line = {**ordered, **event}
    try:
        return msgspec.json.encode(line).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
        # A lone surrogate or a number beyond 64 bits: slower, but every plain value has a form.
        return json.dumps(line, default=str)


def _for_stdlib(logger: Any, method: str, event: Event) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Hand an event to a standard logger; its traceback is a text by now, and `exception()` must not add another."""
    arguments, keywords = structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, method, event)
    return arguments, {**keywords, "exc_info": None}


_TO_STDLIB: Sequence[Any] = (
    structlog.stdlib.filter_by_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _exception_as_text,
    redact,
    _for_stdlib,
)
