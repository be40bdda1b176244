"""Log lines: JSON, complete, and clean."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from shared import logs, tracing
from tests.unit.shared.test_redaction import SECRETS, card_numbers


class Captured:
    def __init__(self) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(logs.JsonLines("checkout", "box:1"))
        self.log = logging.Logger("shared.test")
        self.log.addHandler(handler)

    def line(self) -> dict[str, Any]:
        lines = self.stream.getvalue().splitlines()
        assert len(lines) == 1, "one record is one line"
        parsed: dict[str, Any] = json.loads(lines[0])
        return parsed

    def text(self) -> str:
        """The line without its time, whose digits could be anything."""
        return json.dumps({name: value for name, value in self.line().items() if name != "ts"}, ensure_ascii=False)


@pytest.fixture
def captured() -> Captured:
    return Captured()


@pytest.fixture
def traced() -> Iterator[None]:
    tracing.configure("test", "box:1")
    yield
    tracing.shutdown()


def test_a_line_says_when_where_and_what(captured: Captured) -> None:
    captured.log.info("order %s", "placed", extra={"order_id": "o-1", "lines": 3})
    line = captured.line()
    assert line.pop("ts").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "service": "checkout",
        "instance": "box:1",
        "logger": "shared.test",
        "message": "order placed",
        "order_id": "o-1",
        "lines": 3,
    }


def test_a_line_carries_its_request_and_its_trace(captured: Captured, traced: None) -> None:
    token = logs.REQUEST_ID.set("r-1")
    with tracing.span("work"):
        expected = tracing.current_trace_id()
        captured.log.info("x")
    logs.REQUEST_ID.reset(token)
    assert (captured.line()["request_id"], captured.line()["trace_id"]) == ("r-1", expected)


def test_an_extra_cannot_take_the_place_of_a_field_of_ours(captured: Captured) -> None:
    captured.log.info("x", extra={"service": "forged"})
    assert (captured.line()["service"], captured.line()["extra_service"]) == ("checkout", "forged")


def test_message_extras_and_exception_are_redacted(captured: Captured) -> None:
    try:
        raise ValueError("sk_test_standin refused")
    except ValueError:
        captured.log.exception("card %s", "4242-4242-4242-4242", extra={"url": "amqp://u:hunter2@h", "cvc": "737"})
    line = captured.line()
    assert line["message"] == "card [card]"
    assert (line["url"], line["cvc"]) == ("amqp://u:[redacted]@h", "[redacted]")
    assert line["error"] == "ValueError"
    assert "Traceback" in line["exception"]
    assert not any(secret in captured.text() for secret in ("standin", "hunter2", "737", "4242"))


@pytest.mark.parametrize(("text", "secret"), SECRETS)
@pytest.mark.parametrize("where", ["message", "extra", "deep", "key", "object"])
def test_a_secret_survives_nowhere_in_a_line(captured: Captured, where: str, text: str, secret: str) -> None:
    extra: dict[str, object] = {
        "extra": {"value": text},
        "deep": {"value": {"list": [text]}},
        "key": {"value": {text: 1}},
        "object": {"value": ValueError(text)},
    }.get(where, {})
    captured.log.info(text if where == "message" else "x", extra=extra)
    assert secret not in captured.text()


@pytest.mark.parametrize("key", ["password", "client_secret", "card_number", "cardNumber", "pan", "Cookie", "cvc"])
def test_what_stands_under_a_telling_key_goes_whole(captured: Captured, key: str) -> None:
    captured.log.info("x", extra={"value": {key: "harmless"}})
    assert "harmless" not in captured.text()


@settings(deadline=None, max_examples=200)
@given(card_numbers())
def test_no_card_number_survives_in_a_line(number: tuple[str, str]) -> None:
    bare, written = number
    captured = Captured()
    captured.log.info("x", extra={"a": written, "b": {written: [written]}, "c": f"\t{written}\n"})
    assert written not in captured.text()
    assert bare not in captured.text()


def test_a_newline_in_a_message_starts_no_new_line(captured: Captured) -> None:
    captured.log.info('x\n{"level": "INFO", "message": "forged"}')
    assert captured.line()["message"].startswith("x\n")


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1, 2}, b"\xff", object, float("nan")])
def test_whatever_is_logged_there_is_a_line(captured: Captured, value: object) -> None:
    captured.log.info("x", extra={"value": value})
    assert captured.line()["message"] == "x"


def test_a_huge_text_is_cut_without_leaving_half_a_secret(captured: Captured) -> None:
    padding = "x" * (logs.LONGEST_TEXT - 20)
    captured.log.info(f"{padding} token=abcdefghijklmnopqrstuvwxyz")
    assert len(captured.line()["message"]) < logs.LONGEST_TEXT
    assert "abcdef" not in captured.text()


def test_configuring_sets_up_the_root_logger_once() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    try:
        stream = io.StringIO()
        logs.configure("checkout", "WARNING", "box:1", stream=stream)
        logs.configure("checkout", "WARNING", "box:1", stream=stream)
        logging.getLogger("a").info("not this")
        logging.getLogger("a").warning("this")
        assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["this"]
    finally:
        root.handlers = before
        root.setLevel(level)
