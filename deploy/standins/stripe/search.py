"""Search: a subset of Stripe's query language over what the index knows by now."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.standins.stripe import errors, params
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.search_index import SEARCHED
from deploy.standins.stripe.tables import Json, Table

SEARCH = Spec(
    {"query": params.text(), "limit": params.integer(1, 100), "page": params.text(), "expand": params.EXPAND},
    required=("query",),
)

# -status:"canceled"   metadata['order_id']:"7"   created>1700000000   email~"example"
_CLAUSE = re.compile(
    r"""\s*(?P<no>-)?(?P<field>[a-z_]+)(?:\[(?P<q>["'])(?P<key>[^"']+)(?P=q)\])?
        (?P<sign>>=|<=|:|~|>|<)
        (?:(?P<quote>["'])(?P<text>(?:[^\\"']|\\.)*)(?P=quote)|(?P<bare>[\w.-]+))\s*""",
    re.VERBOSE,
)
_AND = re.compile(r"(?:and|AND)\b|(?=\S)")
_NUMBERS = ("amount", "created")
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ":": lambda have, want: bool(have == want),
    "~": lambda have, want: want.lower() in str(have).lower(),
    ">": lambda have, want: bool(have > want),
    "<": lambda have, want: bool(have < want),
    ">=": lambda have, want: bool(have >= want),
    "<=": lambda have, want: bool(have <= want),
}


@dataclass(frozen=True, slots=True)
class Clause:
    field: str
    key: str | None  # of metadata
    sign: str
    value: Any
    is_negated: bool

    def matches(self, row: Json) -> bool:
        have = row["metadata"].get(self.key) if self.key is not None else row[self.field]
        if self.value is None:
            return (have is None) is not self.is_negated
        if have is None:
            return self.is_negated
        return _SIGNS[self.sign](have, self.value) is not self.is_negated


def parse(query: str) -> list[Clause]:
    #
    clauses, place = [], 0
    while place < len(query):
        match = _CLAUSE.match(query, place)
        if match is None:
            raise _unreadable(query)
        clauses.append(_clause(match, query))
        place = match.end()
        joint = _AND.match(query, place)
        place = joint.end() if joint else place
        if joint and joint[0] and not query[place:].strip():
            raise _unreadable(query)
    if not clauses:
        raise _unreadable(query)
    return clauses


def _clause(match: re.Match[str], query: str) -> Clause:
    field, key = match["field"], match["key"]
    text = match["text"] if match["bare"] is None else match["bare"]
    is_known = field == "metadata" if key is not None else field in SEARCHED
    if not is_known:
        raise errors.invalid(f"Field `{field}` is not searched here.", param="query")
    value: Any = re.sub(r"\\(.)", r"\1", text)
    if field in _NUMBERS:
        if not value.isdecimal():
            raise _unreadable(query)
        value = int(value)
    elif match["sign"] not in {":", "~"}:
        raise _unreadable(query)
    if match["bare"] == "null":
        value = None
    return Clause(field, key, match["sign"], value, match["no"] is not None)


def _unreadable(query: str) -> errors.Refusal:
    return errors.invalid(f"The query cannot be read, or asks for more than this stand-in has: {query}", param="query")


def _search(call: Call, table: Table, noun: str) -> Json:
    values = params.read(call.form, SEARCH)
    clauses = parse(values["query"])
    exact = next((one for one in clauses if one.key and one.sign == ":" and not one.is_negated and one.value), None)
    rows = call.account.search.rows(noun, (str(exact.key), exact.value) if exact else None)
    found = [row for row in rows if all(clause.matches(row) for clause in clauses)]
    start, limit = _start(values.get("page")), values.get("limit", 10)
    has_more = len(found) > start + limit
    return {
        "object": "search_result",
        "data": [table.find(row["id"]) for row in found[start : start + limit]],
        "has_more": has_more,
        "next_page": base64.urlsafe_b64encode(f"page {start + limit}".encode()).decode() if has_more else None,
        "url": f"/v1/{noun}s/search",
    }


def _start(page: str | None) -> int:
    if page is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(page).decode().partition(" ")
        if word == "page" and number.isdecimal():
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise errors.invalid("Invalid page.", param="page")


def payment_intents(call: Call) -> Json:
    return _search(call, call.account.payment_intents, "payment_intent")


def charges(call: Call) -> Json:
    return _search(call, call.account.charges, "charge")


def customers(call: Call) -> Json:
    return _search(call, call.account.customers, "customer")
