"""Stripe's error envelope, and every error the stand-in answers with."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An answer other than 2xx. `is_stored` tells whether an idempotency key remembers it."""

    def __init__(
        self,
        status: int,
        error: dict[str, Any],
        *,
        is_stored: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = error
        self.is_stored = is_stored
        self.headers = dict(headers or {})


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """A request that never began to execute: no idempotency key keeps it."""
    error: dict[str, Any] = {"message": message, "type": "invalid_request_error"}
    if code is not None:
        error["code"] = code
    if param is not None:
        error["param"] = param
    return Refusal(status, error)


def conflicting(message: str, code: str | None, *, param: str | None = None) -> Refusal:
    """A request that executed and found that it cannot be done: an idempotency key keeps the refusal."""
    refusal = invalid(message, param=param, code=code)
    refusal.is_stored = True
    return refusal


def unknown_parameter(param: str) -> Refusal:
    return invalid(
        f"Received unknown parameter: {param} (or one that this stand-in does not have).",
        param=param,
        code="parameter_unknown",
    )


def missing_parameter(param: str) -> Refusal:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def empty_parameter(param: str) -> Refusal:
    return invalid(
        f"You passed an empty string for '{param}'. Empty values unset a parameter; this one must be set.",
        param=param,
        code="parameter_invalid_empty",
    )


def missing_object(noun: str, object_id: str, param: str) -> Refusal:
    #
    return invalid(f"No such {noun}: '{object_id}'", param=param, code="resource_missing", status=404)


def unauthorized(message: str, code: str | None = None) -> Refusal:
    refusal = invalid(message, code=code, status=401)
    refusal.headers["WWW-Authenticate"] = 'Bearer realm="Stand-in for Stripe"'
    return refusal


def unexpected_state(message: str, intent: dict[str, Any]) -> Refusal:
    error = {
        "code": "payment_intent_unexpected_state",
        "message": message,
        "payment_intent": intent,
        "type": "invalid_request_error",
    }
    return Refusal(400, error, is_stored=True)


def unexpected_setup_state(message: str, intent: dict[str, Any]) -> Refusal:
    error = {
        "code": "setup_intent_unexpected_state",
        "message": message,
        "setup_intent": intent,
        "type": "invalid_request_error",
    }
    return Refusal(400, error, is_stored=True)


def key_in_use(key: str) -> Refusal:
    #
    return invalid(
        f"There is currently another in-progress request using this Idempotent Key '{key}'.",
        code="idempotency_key_in_use",
        status=409,
    )


def key_mismatch(key: str) -> Refusal:
    message = (
        "Keys for idempotent requests can only be used with the same endpoint and parameters they were first "
        f"used with. Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Refusal(400, {"message": message, "type": "idempotency_error"})


def too_many_requests(reason: str | None) -> Refusal:
    error = {"code": "rate_limit", "message": "Request rate limit exceeded.", "type": "invalid_request_error"}
    headers = {"Stripe-Rate-Limited-Reason": reason} if reason else {}
    return Refusal(429, error, headers=headers)


def lock_timeout() -> Refusal:
    #
    message = "This object cannot be accessed right now because another request is accessing it."
    error = {"code": "lock_timeout", "message": message, "type": "invalid_request_error"}
    return Refusal(429, error, headers={"Stripe-Should-Retry": "true"})


def server_error() -> Refusal:
    return Refusal(500, {"message": "An unknown error occurred", "type": "api_error"}, is_stored=True)
