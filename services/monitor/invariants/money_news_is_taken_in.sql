-- What Stripe tells of a payment is taken in before it was looked at six times, which takes half an hour.
SELECT o.number || ': ' || s.payment_intent_id || ' was looked at ' || s.tries || ' times in vain, because of '
    || s.reason AS what
FROM checkout.resyncs s JOIN checkout.orders o ON o.id = s.order_id
WHERE s.done_at IS NULL AND s.tries > 5
