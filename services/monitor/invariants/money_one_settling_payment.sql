-- A paid order is settled by exactly one payment, of its total and in its currency; no other order is settled.
SELECT o.number || ': ' || o.payment || ', settled by ' || count(p.payment_intent_id) || ' payments of '
    || coalesce(sum(p.amount_received_minor), 0) || ' for ' || o.total_minor AS what
FROM checkout.orders o LEFT JOIN checkout.payments p ON p.order_id = o.id AND p.settles
GROUP BY o.id
HAVING (o.payment = 'paid') <> (count(p.payment_intent_id) = 1)
    OR (o.payment = 'paid' AND (sum(p.amount_received_minor) <> o.total_minor OR min(p.currency) <> o.currency))
