"""What proxies say of whom they speak for: `X-Forwarded-For`, and `Forwarded` (RFC 7239). Pure.

Both headers are begun by whoever likes to, and each proxy appends what it saw. So both are read from the right, one
entry after the other, and whatever stands left of the entries that are asked for is never looked at.

That is why `Forwarded` isn't parsed from the left, as its grammar is written: a quote that a client opens and never
closes would swallow what our proxies append. From the right it can't: inside a quoted string a quote has a backslash
before it, so `="` is always where one opens.
"""

import functools
import ipaddress
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence

# An address in its canonical form; None: hidden (`unknown`, `_name`), or not to be read.
Entry = str | None

_PORT = r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]{1,100}))?"
_NODE = re.compile(rf"(?:\[(?P<v6>[0-9A-Fa-f:.]{{2,45}})\]|(?P<v4>[0-9.]{{7,15}})){_PORT}")
_TOKEN = "!#$%&'*+-.^_`|~" + string.ascii_letters + string.digits
# What proxies write without quotes, though the grammar asks for them: an address with its port.
_BARE_VALUE = _TOKEN + "[]:"
_QUOTED = re.compile(r"(?:[^\"\\]|\\.)*")
_ESCAPED = re.compile(r"\\(.)")
_BLANK = " \t"


def x_forwarded_for(lines: Sequence[str]) -> Iterator[Entry]:
    """The entries of `X-Forwarded-For`, the nearest proxy's first: addresses without brackets and ports."""
    for line in reversed(lines):
        for part in reversed(line.split(",")):
            yield canonical(part.strip(_BLANK))


def forwarded(lines: Sequence[str]) -> Iterator[Entry]:
    """The `for` of each element of `Forwarded`, the nearest proxy's first. Ends after one that can't be read."""
    for line in reversed(lines):
        rest: str | None = line
        while rest is not None:
            try:
                values, rest = _last_element(rest)
            except _Unreadable:
                yield None
                return
            yield _node(values[0]) if len(values) == 1 else None


READERS: Mapping[str, Callable[[Sequence[str]], Iterator[Entry]]] = {
    "X-Forwarded-For": x_forwarded_for,
    "Forwarded": forwarded,
}


@functools.lru_cache(maxsize=4096)
def canonical(text: str) -> str | None:
    """An IP address in the one form that it is compared and kept in; None for anything else."""
    if "%" in text:  # a zone, in which anything may stand
        return None
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


class _Unreadable(Exception):
    """Not an element as a proxy writes it."""


def _last_element(text: str) -> tuple[list[str], str | None]:
    """The values of `for` in the last element, and what stands before its comma; None: it was the first."""
    values: list[str] = []
    while True:
        name, value, text = _last_pair(text.rstrip(_BLANK))
        if name == "for":
            values.append(value)
        text = text.rstrip(_BLANK)
        if not text:
            return values, None
        if text[-1] == ",":
            return values, text[:-1]
        if text[-1] != ";":
            raise _Unreadable
        text = text[:-1]


def _last_pair(text: str) -> tuple[str, str, str]:
    """Name in small letters, value without quotes, and what stands before."""
    if text.endswith('"'):
        opened = text.rfind('="', 0, len(text) - 1)
        inner = text[opened + 2 : -1]
        if opened < 0 or not _QUOTED.fullmatch(inner):
            raise _Unreadable
        value, before = _ESCAPED.sub(r"\1", inner), text[:opened]
    else:
        before = text.rstrip(_BARE_VALUE)
        value = text[len(before) :]
        if not value or not before.endswith("="):
            raise _Unreadable
        before = before[:-1]
    # Not by a search for a pattern at the end: over a long header that takes the square of its length.
    rest = before.rstrip(_TOKEN)
    if rest == before:
        raise _Unreadable
    return before[len(rest) :].lower(), value, rest


def _node(value: str) -> Entry:
    found = _NODE.fullmatch(value)
    return canonical(found["v6"] or found["v4"]) if found else None
