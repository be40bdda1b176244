-- What is reserved is what orders that may still be paid want.
SELECT s.sku || ': ' || s.reserved || ' reserved, open orders want ' || coalesce(o.wanted, 0) AS what
FROM checkout.stock s LEFT JOIN (
    SELECT l.sku, sum(l.quantity) AS wanted FROM checkout.order_lines l JOIN checkout.orders o ON o.id = l.order_id
    WHERE o.payment IN ('awaiting', 'processing', 'failed') GROUP BY l.sku) o USING (sku)
WHERE s.reserved <> coalesce(o.wanted, 0)
