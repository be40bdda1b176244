-- Each payment that brought money, and each refund that gave some back, is in the ledger once with its amount.
SELECT p.payment_intent_id || ': brought ' || p.amount_received_minor || ', booked ' || coalesce(b.booked, 0) AS what
FROM checkout.payments p LEFT JOIN (
    SELECT t.source, sum(e.amount_minor) AS booked FROM checkout.ledger_transactions t
    JOIN checkout.ledger_entries e ON e.transaction_id = t.id AND e.account = 'stripe_pending'
    WHERE t.kind = 'payment' GROUP BY t.source) b ON b.source = p.payment_intent_id
WHERE coalesce(b.booked, 0) <> CASE WHEN p.status = 'succeeded' THEN p.amount_received_minor ELSE 0 END
UNION ALL
SELECT r.id || ': ' || r.state || ' over ' || r.amount_minor || ', booked ' || coalesce(b.booked, 0)
FROM checkout.refunds r LEFT JOIN (
    SELECT t.source, -sum(e.amount_minor) AS booked FROM checkout.ledger_transactions t
    JOIN checkout.ledger_entries e ON e.transaction_id = t.id AND e.account = 'stripe_pending'
    WHERE t.kind IN ('refund', 'refund_returned') GROUP BY t.source) b ON b.source = r.id::text
WHERE coalesce(b.booked, 0)
    <> CASE WHEN r.state IN ('pending', 'requires_action', 'succeeded') THEN r.amount_minor ELSE 0 END
