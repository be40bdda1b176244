-- No more is given back of a payment than it brought, and the order says what was given back.
SELECT p.payment_intent_id || ': ' || sum(r.amount_minor) || ' given back of ' || p.amount_received_minor AS what
FROM checkout.payments p JOIN checkout.refunds r USING (payment_intent_id)
WHERE r.state IN ('pending', 'requires_action', 'succeeded')
GROUP BY p.payment_intent_id HAVING sum(r.amount_minor) > p.amount_received_minor
UNION ALL
SELECT o.number || ': says ' || o.refunded_minor || ' were given back, its refunds ' || coalesce(s.given, 0)
FROM checkout.orders o LEFT JOIN (
    SELECT r.order_id, sum(r.amount_minor) AS given FROM checkout.refunds r
    JOIN checkout.payments p ON p.payment_intent_id = r.payment_intent_id AND p.settles
    WHERE r.state = 'succeeded' GROUP BY r.order_id) s ON s.order_id = o.id
WHERE o.refunded_minor <> coalesce(s.given, 0)
