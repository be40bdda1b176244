"""Takes secrets and card numbers out of text. Applied to everything that is logged; in doubt, it goes.

Two passes, each with a cheap look first, since ordinary lines hold neither: one for secrets by their shape or
their name, one for digits that could be a card number (13 to 19, separated or not, with a right Luhn sum).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

GONE = "[redacted]"
CARD_GONE = "[card]"

# One look for all rules below: each rule needs at least one of these, or what looks like a token of ours.
_SUSPICIOUS = (
    "secret", "sk_", "rk_", "whsec", "bearer", "basic", "authori", "token", "passw", "api", "://",
    "cvc", "cvv", "cvn", "security", "v1=", "v0=",
)  # fmt: skip
_TOKEN_TAIL = re.compile(r"\.[A-Za-z0-9_-]{43}")

# Repeats are bounded everywhere: what is logged may be chosen by an attacker, and must not cost seconds.
_NAME = r"[\w.-]{0,40}(?:token|secret|password|passwd|api[_-]?key|cvc2?|cvv2?|cvn|security[_ -]?code)"
_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
_RULES: tuple[_Rule, ...] = (
    # Stripe: API keys, webhook secrets, client secrets (what they belong to may stay), signatures
    (re.compile(r"\b[sr]k_(?:test|live)_\w+"), GONE),
    (re.compile(r"\bwhsec_[\w+/=-]+"), GONE),
    (re.compile(r"\b([a-z]{2,8}_[A-Za-z0-9]{1,99})_secret_\w+"), rf"\1_secret_{GONE}"),
    (re.compile(r"\bv[01]=[0-9a-fA-F]{32,}"), f"v1={GONE}"),
    # credentials of HTTP, and those in a URL; Slack's webhook address is itself the secret
    (
        re.compile(r"\b(authorization\W{1,4})(?:(?:bearer|basic)\s+)?[^\s\"',;}]+", re.IGNORECASE),
        rf"\1{GONE}",
    ),
    (re.compile(r"\b(bearer\s+|basic\s+(?=\S{9}))[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1{GONE}"),
    (re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,99}):[^\s/]+@", re.IGNORECASE), rf"\1:{GONE}@"),
    (re.compile(r"(://[^\s/]{1,99}/services/)[^\s\"']+"), rf"\1{GONE}"),
    # our own tokens, `<expiry>.<signature>`, wherever they stand
    (re.compile(r"\b[0-9]{1,12}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"), GONE),
    # whatever is given under a telling name: token=…, "client_secret": "…", cvc: 123
    (re.compile(rf"\b({_NAME}[\"']?\s*[=:]\s*)([\"']?)[^\s\"'&,;}})]+", re.IGNORECASE), rf"\1\2{GONE}"),
)

_TELLING_KEY = re.compile(rf"^(?:{_NAME}|authorization|cookie|set-cookie|pan|card_?number)$", re.IGNORECASE)

_KEY_SIGNS = ('"pan"', '"card', "cookie")  # the telling keys that hold none of the signs above

# What people and programs put between digits; and a digit is whatever Unicode calls one, full-width ones included.
_BETWEEN = r" \t\u00a0\u2009\u202f\u2010-\u2015._/+,-"
_GAP = f"[{_BETWEEN}]{{0,3}}"
_MANY_DIGITS = re.compile(rf"\d(?:{_GAP}\d){{12}}")
# True wherever the rule above is, at a third of its cost (of what it takes there is no letter in between); for plain
# ASCII, which nearly all lines are, at a sixth: `+` to `9` are `+,-./` and the digits.
_MAYBE_MANY_DIGITS = re.compile(rf"\d[\d{_BETWEEN}]{{12}}")
_MAYBE_MANY_DIGITS_IN_ASCII = re.compile(r"[0-9][+-9 \t_]{12}")
# A UUID, or a trace id's 32 hexadecimal digits, is taken whole first: its digits aren't looked at.
_DIGITS = re.compile(
    r"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32})(?![0-9a-fA-F])"
    rf"|(?P<run>\d(?:{_GAP}\d){{12,}})"
)
_LONGEST_RUN = 200  # digits; nothing that long is worth trying every part of
_GROUP = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_surely_clean(line: str) -> bool:
    """One look at a whole JSON line, keys and all: True for ordinary ones, which then need no look at each value.

    A line with escapes counts as unclean, since they could hide what stands between two digits.
    """
    return not ("\\" in line or _has_signs(line, _SUSPICIOUS + _KEY_SIGNS) or _has_many_digits(line))


def _has_signs(text: str, signs: tuple[str, ...]) -> bool:
    lower = text.lower()
    return any(map(lower.__contains__, signs)) or _TOKEN_TAIL.search(text) is not None


def _has_many_digits(text: str) -> bool:
    maybe = _MAYBE_MANY_DIGITS_IN_ASCII if text.isascii() else _MAYBE_MANY_DIGITS
    return maybe.search(text) is not None and _MANY_DIGITS.search(text) is not None


def redact(text: str) -> str:
    """The text without secrets and card numbers."""
    if _has_signs(text, _SUSPICIOUS):
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
    return _DIGITS.sub(_without_cards, text) if _has_many_digits(text) else text


def redact_value(value: Any, key: str = "") -> Any:
    """The same for anything a log line can hold; what stands under a telling key goes whole."""
    if value is None or isinstance(value, bool | float):
        return value
    if _TELLING_KEY.match(key):
        return GONE
    if isinstance(value, int):
        return CARD_GONE if redact(str(value)) != str(value) and not _is_time(value) else value
    if isinstance(value, Mapping):
        return {redact(str(name)): redact_value(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(each) for each in value]
    return redact(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def passes_luhn(digits: str) -> bool:
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0


def _is_time(number: int) -> bool:
    """Milli-, micro- or nanoseconds of 2017 to 2033: no card number of that length begins so."""
    text = str(number)
    return len(text) in {13, 16, 19} and "15" <= text[:2] <= "19"


def _without_cards(match: re.Match[str]) -> str:
    run = match["run"]
    if run is None:
        return match[0]
    groups = [(found.start(), found.end()) for found in _GROUP.finditer(run)]
    if sum(end - start for start, end in groups) > _LONGEST_RUN:
        return CARD_GONE
    parts: list[str] = []
    position = 0
    for start, end in _spans_of_cards(run, groups):
        parts += [run[position:start], CARD_GONE] if start >= position else []
        position = max(position, end)
    return "".join(parts) + run[position:]


def _spans_of_cards(run: str, groups: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every stretch of whole groups that could be a card number: an expiry may stand right beside it."""
    found: list[tuple[int, int]] = []
    for first, (start, _) in enumerate(groups):
        digits = ""
        for from_, end in groups[first:]:
            digits += run[from_:end]
            if len(digits) >= _CARD_LENGTHS.stop:
                break
            if len(digits) in _CARD_LENGTHS and passes_luhn(digits):
                found.append((start, end))
    return found
