"""Who is signed in: tokens of the shop's keys, and none that was made in any other way."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from shared.shopper_tokens import TokenRejected, read_keys, subject_of

AUDIENCE = "kct-checkout"
PRIVATE = Ed25519PrivateKey.generate()


def public(kid: str, private: Ed25519PrivateKey = PRIVATE) -> dict[str, Any]:
    return {**json.loads(OKPAlgorithm.to_jwk(private.public_key())), "kid": kid, "alg": "EdDSA"}


KEYS = read_keys(json.dumps({"keys": [public("2026-11"), public("2026-10", Ed25519PrivateKey.generate())]}))


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    given = {"sub": "shopper-7", "aud": AUDIENCE, "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in given.items() if value is not None}


def a_token(key: Any = PRIVATE, algorithm: str = "EdDSA", kid: str = "2026-11", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, {"kid": kid})


def test_the_shops_word_is_believed():
    assert subject_of(KEYS, a_token(), AUDIENCE, 900) == "shopper-7"


NOW = int(time.time())
# Made when they are tried: as old as when this file was read, most would be refused for their age.
FORGED = {
    "of another audience": lambda: a_token(aud="another"),
    "of two audiences": lambda: a_token(aud=[AUDIENCE, "another"]),
    "without an audience": lambda: a_token(aud=None),
    "without an end": lambda: a_token(exp=None),
    "without a beginning": lambda: a_token(iat=None),
    "without a subject": lambda: a_token(sub=None),
    "of nobody": lambda: a_token(sub=""),
    "whose time is over": lambda: a_token(iat=NOW - 900, exp=NOW - 60),
    "of the future": lambda: a_token(iat=NOW + 86_400, exp=NOW + 86_700),
    "that lives for a day": lambda: a_token(exp=NOW + 86_400),
    "signed by a stranger": lambda: a_token(Ed25519PrivateKey.generate()),
    "of a key that nobody knows": lambda: a_token(kid="2025-01"),
    "of another of our keys": lambda: a_token(kid="2026-10"),
    "signed with a public key as a secret": lambda: a_token(public("2026-11")["x"], "HS256"),
    "without a signature": lambda: jwt.encode(claims(), None, "none", {"kid": "2026-11"}),
    "that is none": lambda: "ey.ey.ey",
    "that is empty": lambda: "",
    "too long": lambda: a_token(more="x" * 5000),
    "with a signature cut off": lambda: a_token().rsplit(".", 1)[0] + ".",
    "in another alphabet": lambda: "é.é.é",
}


@pytest.mark.parametrize("how", FORGED)
def test_a_token_is_rejected_that_is(how: str):
    with pytest.raises(TokenRejected):
        subject_of(KEYS, FORGED[how](), AUDIENCE, 900)


RSA = generate_private_key(65537, 2048)
WRONG_SETS = {
    "no JSON": "keys",
    "no set": "[]",
    "a secret": json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}]}),
    "a private key": json.dumps({"keys": [{**json.loads(OKPAlgorithm.to_jwk(PRIVATE)), "kid": "a", "alg": "EdDSA"}]}),
    "another algorithm": json.dumps(
        {"keys": [{**json.loads(RSAAlgorithm.to_jwk(RSA.public_key())), "kid": "a", "alg": "RS256"}]}
    ),
    "no name": json.dumps({"keys": [{name: value for name, value in public("a").items() if name != "kid"}]}),
    "one name twice": json.dumps({"keys": [public("a"), public("a", Ed25519PrivateKey.generate())]}),
}


@pytest.mark.parametrize("what", WRONG_SETS)
def test_a_key_set_with_anything_else_in_it_stops_the_start(what: str):
    with pytest.raises(ValueError, match=r"^(is no|holds a|may hold)"):
        read_keys(WRONG_SETS[what])
