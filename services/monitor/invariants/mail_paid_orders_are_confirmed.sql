-- A paid order has its letter within fifteen minutes.
SELECT o.number || ': paid at ' || o.paid_at || ', no confirmation was written' AS what
FROM checkout.orders o
WHERE o.paid_at < now() - interval '15 minutes' AND NOT EXISTS (
    SELECT FROM notifier.letters l WHERE l.order_id = o.id AND l.kind = 'order_confirmation')
