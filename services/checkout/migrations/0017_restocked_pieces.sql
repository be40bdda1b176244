-- A piece goes back on the shelf once. When its refund fails later, only money comes back: the piece stays where it is,
-- for sale, and is neither sent to the customer nor put there again by the refund that is made anew.

ALTER TABLE refund_lines
    ADD COLUMN restocked bigint NOT NULL DEFAULT 0 CHECK (restocked BETWEEN 0 AND quantity);
COMMENT ON COLUMN refund_lines.restocked IS
    'How many of the pieces are on the shelf again. A refund that is made anew takes over those of one that failed.';
UPDATE refund_lines l SET restocked = quantity FROM refunds r
WHERE r.id = l.refund_id AND r.restock
    AND format('refund %s of order %s', r.id, r.order_id) IN (SELECT note FROM stock_journal WHERE reason = 'return');

CREATE OR REPLACE VIEW order_pieces WITH (security_invoker = true) AS
    SELECT l.order_id, l.position, l.quantity AS ordered, coalesce(p.sent, 0)::bigint AS sent,
           coalesce(r.refunded, 0)::bigint AS refunded,
           (coalesce(r.withdrawn, 0) + coalesce(p.withdrawn, 0))::bigint AS withdrawn
    FROM order_lines l
    LEFT JOIN LATERAL (
        SELECT sum(pl.quantity) FILTER (WHERE parcels.state <> 'returned') AS sent, sum(pl.withdrawn) AS withdrawn
        FROM parcel_lines pl JOIN parcels ON parcels.id = pl.parcel_id
        WHERE pl.order_id = l.order_id AND pl.position = l.position) p ON true
    LEFT JOIN LATERAL (
        SELECT sum(CASE WHEN has_failed THEN restocked ELSE quantity END) AS refunded,
               sum(CASE WHEN has_failed THEN least(restocked, withdrawn) ELSE withdrawn END) AS withdrawn
        FROM (SELECT rl.*, refunds.state IN ('failed', 'canceled', 'refused') AS has_failed
              FROM refund_lines rl JOIN refunds ON refunds.id = rl.refund_id
              WHERE rl.order_id = l.order_id AND rl.position = l.position) each_refund) r ON true;
COMMENT ON VIEW order_pieces IS
    'The pieces of each line: ordered; sent and not returned; refunded or for sale again; and of those the ones here.';

GRANT UPDATE (withdrawn, restocked) ON refund_lines TO {{prefix}}_checkout_worker;
