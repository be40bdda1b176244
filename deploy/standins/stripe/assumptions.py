"""What the stand-in assumes without a source at first hand.

Code that rests on an assumption names its id; `/_control/assumptions` lists them.
"""

ASSUMPTIONS = {
    "A-01": "A concurrent request on the same key gets the code `idempotency_key_in_use` (second-hand).",
    "A-02": "Replays carry `Idempotent-Replayed: true` and `Original-Request` (second-hand).",
    "A-03": "A 404 about an object in the request is a failed validation: the key keeps nothing.",
    "A-04": "Exact wording of messages, and the name of `param` in a `resource_missing` error.",
    "A-05": "A choice outside a closed list is an invalid_request_error with `param` and no `code`.",
    "A-06": "Minimum amounts other than 0.50 USD.",
    "A-07": "A publishable key on a secret endpoint: 401 with code `secret_key_required`.",
    "A-08": "Which fields of a PaymentIntent a publishable key may see.",
    "A-09": "A confirmation by the server without `return_url`, redirects being allowed, is a 400.",
    "A-10": "Which decline carries which `advice_code` and `network_decline_code`.",
    "A-11": "The order of the events of one request: intent created, charge, then the intent's new state.",
    "A-12": "A failed authentication makes no charge; `latest_charge` keeps what it was.",
    "A-13": "An off-session payment that needs authentication leaves a failed charge.",
    "A-14": "A lock timeout carries `Stripe-Should-Retry: true`, a rate limit does not.",
    "A-15": "An event without any endpoint counts as delivered for `delivery_success`.",
    "A-16": "Fees: 2.9 % and 30 minor units; funds available after two days.",
    "A-17": "The card with the highest risk level is blocked, as Radar's default rule does.",
    "A-18": "Which `pm_card_` names exist beyond the documented ones (3-D Secure then declined; velocity).",
    "A-19": "A redirect answered to a webhook is a failed delivery; the body of the answer is ignored.",
    "A-20": "An amount changed during authentication, or a changed method, needs confirming again.",
    "A-21": "`create` with `confirm` but without a payment method makes no PaymentIntent.",
    "A-22": "A fault before the effect leaves nothing stored under the idempotency key.",
    "A-23": "The values of `Stripe-Rate-Limited-Reason`: `global-rate`, `endpoint-rate`.",
    "A-24": "After a failed payment the intent's `payment_method` is null again.",
}
