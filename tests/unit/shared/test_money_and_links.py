"""Money, signed links, events and settings: what all services rely on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_settings import SettingsConfigDict

from shared import events, links, roles, settings, topology
from shared.ids import uuid7
from shared.money import EXPONENTS, MixedCurrencies, Money, UnknownCurrency
from shared.settings import Secret, Secrets, Settings

NOW = datetime(2026, 11, 23, tzinfo=UTC)
amounts = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(sorted(EXPONENTS))


@given(amounts, amounts, amounts, currencies)
def test_adding_money_is_adding_integers(a, b, c, currency):
    x, y, z = (Money(n, currency) for n in (a, b, c))
    assert (x + y) + z == x + (y + z) == Money(a + b + c, currency)
    assert x + y - y == x


@given(amounts, st.integers(0, 1000), currencies)
def test_times_is_repeated_addition(amount, times, currency):
    assert (Money(amount, currency) * times).amount_minor == amount * times


@given(amounts, currencies)
def test_the_written_amount_is_exact(amount, currency):
    assert Money(amount, currency).major() * 10 ** EXPONENTS[currency] == Decimal(amount)


@pytest.mark.parametrize(("money", "text"), [
    (Money(1999, "usd"), "19.99 USD"), (Money(500, "jpy"), "500 JPY"), (Money(1234, "kwd"), "1.234 KWD"),
])  # fmt: skip
def test_each_currency_has_its_own_decimals(money, text):
    assert str(money) == text


def test_currencies_do_not_mix_and_unknown_ones_are_refused():
    with pytest.raises(MixedCurrencies):
        Money(1, "usd") + Money(1, "eur")
    with pytest.raises(MixedCurrencies):
        assert Money(1, "usd") < Money(2, "eur")
    with pytest.raises(UnknownCurrency):
        Money(1, "xxx")


def test_a_link_is_worth_something_for_its_purpose_and_subject_until_it_ends():
    token = links.sign("key", "mail", "order-1", NOW + timedelta(days=1))
    assert links.verify(["new", "key"], "mail", "order-1", token, NOW)
    assert not links.verify(["new"], "mail", "order-1", token, NOW)
    assert not links.verify(["key"], "order", "order-1", token, NOW)
    assert not links.verify(["key"], "mail", "order-2", token, NOW)
    assert not links.verify(["key"], "mail", "order-1", token, NOW + timedelta(days=1))
    expiry, _, signature = token.partition(".")
    assert not links.verify(["key"], "mail", "order-1", f"{int(expiry) + 1}.{signature}", NOW)
    assert not links.verify(["key"], "mail", "order-1", f"0.{signature}", NOW)


@given(st.text(max_size=60))
def test_no_text_is_a_link_by_chance_and_none_breaks_the_check(text):
    assert not links.verify(["key"], "mail", "order-1", text, NOW)


def test_an_empty_key_signs_nothing():
    with pytest.raises(ValueError, match="empty"):
        links.sign("", "mail", "order-1")


def test_every_event_survives_the_wire():
    event = events.OrderHeld(
        reason="payment_differs",
        order=events.OrderFacts(
            order_id=uuid7(), number="K-1", email="a@b.example", locale="de", currency="eur", total_minor=1, lines=(),
            shipping_address=events.Address(name="A", line1="B", city="C", postal_code="D1", country="DE"),
        ),
    )  # fmt: skip
    assert events.decode(events.encode(event)) == event


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'{"type":"no.such","version":1}', b'{"type":"order.paid","version":2}',
    b'{"type":"order.paid","version":1,"order":{"email":"secret@example.com"}}', b"\xff\xfe",
])  # fmt: skip
def test_what_is_no_event_is_refused_without_repeating_it(body):
    with pytest.raises(events.UnreadableEvent) as caught:
        events.decode(body)
    assert "secret@example.com" not in str(caught.value)


def test_every_event_has_a_name_of_its_own_and_is_heard_by_somebody():
    assert len(events.EVENTS) >= 15
    assert topology.QUEUES["monitor.on_event"] == topology.EVERYTHING


class Example(Settings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_", frozen=True)
    password: Secret
    keys: Secrets = ()


def test_a_secret_can_come_from_a_file_and_is_never_shown(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("hush\n")
    monkeypatch.setenv("EXAMPLE_PASSWORD_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("EXAMPLE_KEYS", "new, old")
    found = settings.load(Example)
    assert found.password.get_secret_value() == "hush"
    assert [key.get_secret_value() for key in found.keys] == ["new", "old"]
    assert "hush" not in repr(found)


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_or_empty_secret_stops_the_process_and_says_which(monkeypatch, capsys, value):
    monkeypatch.delenv("EXAMPLE_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("EXAMPLE_PASSWORD", value)
    with pytest.raises(SystemExit) as caught:
        settings.load(Example)
    assert caught.value.code == 78
    assert "EXAMPLE_PASSWORD" in capsys.readouterr().err


def test_a_file_that_can_not_be_read_stops_the_process_and_says_which(monkeypatch, capsys):
    monkeypatch.setenv("EXAMPLE_PASSWORD_FILE", "/no/such/file")
    with pytest.raises(SystemExit):
        settings.load(Example)
    assert "EXAMPLE_PASSWORD_FILE" in capsys.readouterr().err


def test_a_login_has_no_rights_of_its_own():
    for role in roles.roles("kct"):
        [made, *_] = roles.statements(role, {})
        assert "NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS" in made


def test_a_password_verifier_is_salted_and_holds_no_password():
    one, other = roles.verifier("s3cret"), roles.verifier("s3cret")
    assert one != other
    assert one.startswith("SCRAM-SHA-256$4096:")
    assert "s3cret" not in one
