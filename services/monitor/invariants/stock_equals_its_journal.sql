-- Stock is what its journal sums up to.
SELECT s.sku || ': ' || s.on_hand || ' on hand and ' || s.reserved || ' reserved, by the journal '
    || coalesce(j.on_hand, 0) || ' and ' || coalesce(j.reserved, 0) AS what
FROM checkout.stock s LEFT JOIN (
    SELECT sku, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
    FROM checkout.stock_journal GROUP BY sku) j USING (sku)
WHERE (s.on_hand, s.reserved) IS DISTINCT FROM (coalesce(j.on_hand, 0), coalesce(j.reserved, 0))
