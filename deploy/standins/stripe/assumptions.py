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
    "A-23": "`Stripe-Rate-Limited-Reason` is `global-rate`, `endpoint-rate`, `global-concurrency` or, for too many "
    "updates of one PaymentIntent, `resource-specific` (second-hand).",
    "A-24": "After a failed payment the intent's `payment_method` is null again.",
    "A-25": "Requests that change one object wait for each other; how long until `lock_timeout`. GETs never wait.",
    "A-26": "How many failed confirmations cancel a PaymentIntent: 25, with `cancellation_reason` `automatic`.",
    "A-27": "Cancelling held funds makes a refund of the whole charge without balance transaction, and "
    "`charge.refunded`.",
    "A-28": "What a refund is refused with: no charge, uncaptured, more than is left (`param` `amount`, no `code`).",
    "A-29": "A refund tells `refund.created`, then `charge.refunded`; a pending one counts in `amount_refunded` at "
    "once.",
    "A-30": "A pending refund has no balance transaction until it succeeds; a failed one gives its amount back to "
    "the charge.",
    "A-31": "The order `charge.dispute.created`, `funds_withdrawn`, …, `funds_reinstated`, `closed`; the fee of "
    "15.00, returned when won.",
    "A-32": "A dispute is to be answered within nine days; an unanswered one is lost, an unanswered inquiry closes.",
    "A-33": "The words that decide a test dispute (second-hand); an inquiry ends in `warning_closed` either way.",
    "A-34": "A refund of a disputed charge: 400 `charge_disputed`; an inquiry does not stop it (second-hand).",
    "A-35": "The `pm_card_` names of cards for disputes, refunds, warnings and failing checks (second-hand).",
    "A-36": "A refund, a dispute or a cancellation closes a review; a review makes the outcome `manual_review`.",
    "A-37": "Early fraud warnings say `unauthorized_use_of_card`, and stop being actionable with an `updated` event.",
    "A-38": "A payment method that paid without a customer is used up; one of a customer needs that customer named.",
    "A-39": "A ConfirmationToken lives twelve hours and works once; what it may fill in; how reuse is refused.",
    "A-40": "A card that declines is refused by a SetupIntent with 402; only 0341 can be saved and declines later.",
    "A-41": "What search refuses, that a space joins like AND, and that results are newest first.",
    "A-42": "A payout takes all available funds of a currency; `payout.created`, then `payout.paid` or "
    "`payout.failed`.",
    "A-43": "A capture with `final_capture=false` tells `charge.captured` and `amount_capturable_updated`.",
    "A-44": "Held funds expire after seven days: `charge.expired`, `payment_intent.canceled`.",
    "A-45": "Sixteen webhook endpoints at most; what happens while one is disabled is never sent to it.",
    "A-48": "A SEPA debit: which IBAN does what; `charge.pending` and `payment_intent.processing`, days later "
    "`charge.succeeded` or `charge.failed` and the intent's new state; no mandate is asked for.",
    "A-47": "An idempotency key is forgotten after exactly a day.",
}
