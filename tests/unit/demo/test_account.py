import asyncio
import io

import pytest

from deploy.demo.account import Account, Skipped, is_coloured


class Out(io.StringIO):
    encoding = "utf-8"

    def __init__(self, is_a_terminal: bool = False) -> None:
        super().__init__()
        self._is_a_terminal = is_a_terminal

    def isatty(self) -> bool:
        return self._is_a_terminal


@pytest.fixture
def out() -> Out:
    return Out()


@pytest.fixture
def account(out: Out) -> Account:
    return Account(out, is_coloured=False)


def test_a_step_that_ends_well_gets_a_tick_and_its_time(account, out):
    with account.step("purchase", "A purchase"):
        account.detail("order placed")
    assert "✓ A purchase (0.0 s)" in out.getvalue()
    assert "0.0 s  order placed" in out.getvalue()
    assert account.steps[0].document() == {"name": "purchase", "ok": True, "ms": 0}


def test_a_step_that_fails_is_marked_and_its_error_goes_on(account, out):
    with pytest.raises(ValueError, match="no"), account.step("purchase", "A purchase"):
        raise ValueError("no")
    assert "✗ A purchase" in out.getvalue()
    assert [step.name for step in account.failed] == ["purchase"]


def test_a_step_left_out_is_no_failure_and_says_why(account, out):
    with account.step("webhooks", "Webhooks"):
        raise Skipped("needs the stand-in")
    assert "needs the stand-in" in out.getvalue()
    assert account.steps[0].document() == {"name": "webhooks", "ok": True, "ms": 0, "skipped": True}


def test_an_interrupted_step_is_neither_well_nor_failed(account, out):
    with pytest.raises(asyncio.CancelledError), account.step("purchase", "A purchase"):
        raise asyncio.CancelledError
    assert "A purchase (interrupted)" in out.getvalue()
    assert account.failed == []
    assert not account.steps[0].ok


def test_colours_are_for_terminals_whose_owner_did_not_refuse_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert is_coloured(Out(is_a_terminal=True))
    assert not is_coloured(Out(is_a_terminal=False))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_coloured(Out(is_a_terminal=True))


def test_an_output_that_knows_no_ticks_gets_words():
    out = Out()
    out.encoding = "ascii"
    account = Account(out, is_coloured=False)
    with account.step("purchase", "A purchase"):
        pass
    assert "ok A purchase" in out.getvalue()
    assert out.getvalue().isascii()
