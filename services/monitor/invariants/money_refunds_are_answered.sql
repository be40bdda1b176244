-- No refund waits longer than an hour for Stripe's answer.
SELECT o.number || ': ' || r.amount_minor || ' ' || r.currency || ' wanted since ' || r.created_at || ', asked '
    || a.tries || ' times, last ' || coalesce(a.error_code, 'without a word') AS what
FROM checkout.refunds r
JOIN checkout.orders o ON o.id = r.order_id
JOIN checkout.payment_attempts a ON a.id = r.attempt_id
WHERE r.state = 'requested' AND r.created_at < now() - interval '1 hour'
