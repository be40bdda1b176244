-- A parcel has its letter within fifteen minutes.
SELECT o.number || ': parcel ' || p.id || ' was handed over at ' || p.shipped_at || ', no mail was written' AS what
FROM checkout.parcels p JOIN checkout.orders o ON o.id = p.order_id
WHERE p.shipped_at < now() - interval '15 minutes' AND NOT EXISTS (
    SELECT FROM notifier.letters l
    WHERE l.order_id = p.order_id AND l.kind = 'order_shipped' AND l.fact_id = p.id::text)
