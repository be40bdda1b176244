"""Whether Stripe's endpoint for us is set as it must be."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any


class Problem(StrEnum):
    """What is wrong with the endpoint; the first two mean that nothing is delivered at all."""

    MISSING = "missing"
    DISABLED = "disabled"
    OTHER_VERSION = "other_version"
    TYPES_MISSING = "types_missing"


def problems(
    endpoints: Sequence[Mapping[str, Any]], url: str, api_version: str, types: Iterable[str]
) -> tuple[Problem, ...]:
    """What is wrong, the worst first; nothing when one enabled endpoint of our URL is as it must be.

    An endpoint without a version of its own follows the account's, which somebody may change with a click.
    """
    ours = [endpoint for endpoint in endpoints if endpoint.get("url") == url]
    if not ours:
        return (Problem.MISSING,)
    enabled = [endpoint for endpoint in ours if endpoint.get("status") == "enabled"]
    if not enabled:
        return (Problem.DISABLED,)
    found = [_shortcomings(endpoint, api_version, types) for endpoint in enabled]
    return min(found, key=len)


def _shortcomings(endpoint: Mapping[str, Any], api_version: str, types: Iterable[str]) -> tuple[Problem, ...]:
    found = []
    if endpoint.get("api_version") != api_version:
        found.append(Problem.OTHER_VERSION)
    if not all(_sends(endpoint.get("enabled_events"), type_) for type_ in types):
        found.append(Problem.TYPES_MISSING)
    return tuple(found)


def _sends(enabled: object, type_: str) -> bool:
    """Stripe knows whole names and `*`: docs.stripe.com/api/webhook_endpoints/object."""
    return isinstance(enabled, list) and ("*" in enabled or type_ in enabled)
