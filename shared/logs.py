"""Logs: one JSON object per line on stdout, each value of it redacted.

    log.info("order placed", extra={"order_id": order.id, "lines": 3})

The message is a short constant text; facts go into `extra`. Every line carries the request id, the client's address
and the trace id it belongs to. Bodies, tokens and personal data are not logged; the redactor is the net below that.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from shared.redaction import is_surely_clean, redact, redact_value
from shared.tracing import current_trace_id

__all__ = ["CLIENT_ADDRESS", "REQUEST_ID", "JsonLines", "configure", "redact"]

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
CLIENT_ADDRESS: ContextVar[str | None] = ContextVar("client_address", default=None)

# A text longer than this is of no use to a reader. It is cut before redaction, which keeps it cheap, and
# its tail is dropped afterwards: half a secret may stand there, and half of one isn't recognised.
LONGEST_TEXT = 16_000
_TAIL = 200

# Whatever isn't plain JSON is written as its str().
_AS_TEXT = (
    orjson.OPT_NON_STR_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_OURS = frozenset({"ts", "level", "service", "instance", "logger", "message", "request_id", "trace_id"})


class JsonLines(logging.Formatter):
    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._service = service
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "instance": self._instance,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if trace_id := current_trace_id():
            line["trace_id"] = trace_id
        if client_address := CLIENT_ADDRESS.get():
            line["client_address"] = client_address
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                line[f"extra_{name}" if name in _OURS else name] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__qualname__
            line["exception"] = self.formatException(record.exc_info)
        return _clean(line)


def configure(service: str, level: str = "INFO", instance: str = "", *, stream: TextIO | None = None) -> None:
    """Set up the root logger. Called once, first thing in `__main__`."""
    # No line of ours says where in the code, in which thread or process it was written, so nobody needs to find out:
    # docs.python.org/3/howto/logging.html#optimization.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines(service, instance))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _clean(line: dict[str, Any]) -> str:
    """The line as JSON. Most are clean at one look; the others are redacted value by value."""
    text = _dumps(line)
    if len(text) <= LONGEST_TEXT and is_surely_clean(text):
        return text
    return _dumps({name: _redacted(name, value) for name, value in line.items()})


def _redacted(name: str, value: object) -> object:
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT:
        return redact_value(value, name)
    return f"{redact(value[:LONGEST_TEXT])[:-_TAIL]} […]"


def _dumps(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str, option=_AS_TEXT).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(line, default=str, skipkeys=True)
