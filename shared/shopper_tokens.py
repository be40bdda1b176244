"""How a shop says who is signed in: short-lived JWTs, signed with a private key that only the shop has.

The algorithms are fixed here and never taken from the token (RFC 8725, 3.1); key sets (RFC 7517) hold public keys only.
"""

from collections.abc import Mapping

import jwt

ALGORITHMS = ("EdDSA", "ES256")
# How far the shop's clock and ours may be apart.
LEEWAY_S = 30
LONGEST_TOKEN = 4096
LONGEST_SUBJECT = 200

Keys = Mapping[str, jwt.PyJWK]


class TokenRejected(Exception):
    """The token isn't one of ours, or its time is over. Why is said to nobody."""


def read_keys(text: str) -> Keys:
    """The public keys of a JSON Web Key Set by their `kid`. Raises ValueError for anything else in it."""
    try:
        keys = jwt.PyJWKSet.from_json(text).keys
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("is no JSON Web Key Set") from error
    found = {key.key_id: key for key in keys if key.key_id}
    if len(found) != len(keys):
        raise ValueError("holds a key without a kid, or two with one kid")
    if any(key.algorithm_name not in ALGORITHMS or hasattr(key.key, "private_bytes") for key in keys):
        raise ValueError(f"may hold public keys for {' and '.join(ALGORITHMS)} only")
    return found


def subject_of(keys: Keys, token: str, audience: str, longest_s: float) -> str:
    """Who is signed in, in the shop's words. Raises TokenRejected, also for a token made to live longer."""
    try:
        if len(token) > LONGEST_TOKEN:
            raise TokenRejected
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=audience,
            leeway=LEEWAY_S,
            options={"require": ["sub", "aud", "iat", "exp"], "strict_aud": True},
        )
        if not 0 < claims["exp"] - claims["iat"] <= longest_s:
            raise TokenRejected
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, UnicodeError) as error:
        raise TokenRejected from error
    subject: str = claims["sub"]
    if not (0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        raise TokenRejected
    return subject
