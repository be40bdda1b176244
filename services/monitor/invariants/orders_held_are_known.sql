-- Every order that is held has its incident's row, and no order that is not, after fifteen minutes.
SELECT o.number || ': checkout says ' || o.hold || ' since ' || t.at || ', the monitor ' || coalesce(h.reason, 'nothing')
    AS what
FROM checkout.orders o
JOIN LATERAL (SELECT max(at) AS at FROM checkout.order_timeline WHERE order_id = o.id AND what IN ('held', 'released')) t
    ON t.at < now() - interval '15 minutes'
LEFT JOIN monitor.held_orders h ON h.order_id = o.id
WHERE o.hold <> coalesce(h.reason, 'none')
