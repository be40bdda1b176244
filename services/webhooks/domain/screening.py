"""Whether a request may turn out to be Stripe's, judged by its headers alone: cheap, and before a byte is read. Pure.

This never lets anybody in, `signature.verify` does. It only tells who certainly won't get in, so that these can be
refused without reading what they send. Whatever `verify` accepts passes here, which a property test makes sure of.
"""

import re
from collections.abc import Sequence

from services.webhooks.domain.signature import LONGEST_SIGNATURE

_SIGNED_AT = re.compile(r"(?:^|,)t=([0-9]{1,11})(?=,|$)")
_SIGNATURE = re.compile(r"(?:^|,)v1=[0-9a-f]{64}(?=,|$)")


def may_be_signed(signatures: Sequence[str], tolerance_s: int, now: float) -> bool:
    """One header, with one time that isn't too far off, and something that looks like a signature."""
    if len(signatures) != 1 or len(signatures[0]) > LONGEST_SIGNATURE:
        return False
    times = _SIGNED_AT.findall(signatures[0])
    if len(times) != 1 or abs(int(times[0]) - now) > tolerance_s:
        return False
    return _SIGNATURE.search(signatures[0]) is not None
