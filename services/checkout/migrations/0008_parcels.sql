-- Parcels: what of an order was sent, and what of it came back.

ALTER TABLE orders
    DROP CONSTRAINT orders_fulfilment_check,
    ADD CONSTRAINT orders_fulfilment_check
        CHECK (fulfilment IN ('none', 'part_shipped', 'shipped', 'delivered', 'returned', 'cancelled'));

CREATE TABLE parcels (
    id              uuid PRIMARY KEY,
    order_id        uuid NOT NULL REFERENCES orders,
    carrier         text NOT NULL CHECK (length(carrier) BETWEEN 1 AND 60),
    tracking_number text CHECK (length(tracking_number) BETWEEN 1 AND 60),
    state           text NOT NULL DEFAULT 'shipped' CHECK (state IN ('shipped', 'delivered', 'returned')),
    actor           text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    shipped_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at    timestamptz,
    returned_at     timestamptz,
    CONSTRAINT parcels_returned_has_a_time CHECK ((state = 'returned') = (returned_at IS NOT NULL)),
    CONSTRAINT parcels_delivered_has_a_time CHECK (state <> 'delivered' OR delivered_at IS NOT NULL)
);
COMMENT ON TABLE parcels IS 'What was handed to a carrier. The id is chosen by who packs: the same one again is the same parcel.';
CREATE INDEX parcels_order ON parcels (order_id, shipped_at);

CREATE TABLE parcel_lines (
    parcel_id uuid NOT NULL REFERENCES parcels,
    order_id  uuid NOT NULL,
    position  integer NOT NULL,
    quantity  bigint NOT NULL CHECK (quantity > 0),
    withdrawn bigint NOT NULL DEFAULT 0 CHECK (withdrawn BETWEEN 0 AND quantity),
    PRIMARY KEY (parcel_id, position),
    FOREIGN KEY (order_id, position) REFERENCES order_lines (order_id, position)
);
COMMENT ON TABLE parcel_lines IS 'Which pieces a parcel holds.';
COMMENT ON COLUMN parcel_lines.withdrawn IS 'How many came back that had been refunded meanwhile: they are not sent again.';
CREATE INDEX parcel_lines_order ON parcel_lines (order_id, position);

ALTER TABLE refund_lines ADD COLUMN withdrawn bigint NOT NULL DEFAULT 0 CHECK (withdrawn BETWEEN 0 AND quantity);
COMMENT ON COLUMN refund_lines.withdrawn IS 'How many of the pieces were here when they were refunded: they are not sent.';
UPDATE refund_lines SET withdrawn = quantity;  -- nothing was sent before there were parcels

CREATE VIEW order_pieces WITH (security_invoker = true) AS
    SELECT l.order_id, l.position, l.quantity AS ordered, coalesce(p.sent, 0)::bigint AS sent,
           coalesce(r.refunded, 0)::bigint AS refunded,
           (coalesce(r.withdrawn, 0) + coalesce(p.withdrawn, 0))::bigint AS withdrawn
    FROM order_lines l
    LEFT JOIN LATERAL (
        SELECT sum(pl.quantity) FILTER (WHERE parcels.state <> 'returned') AS sent, sum(pl.withdrawn) AS withdrawn
        FROM parcel_lines pl JOIN parcels ON parcels.id = pl.parcel_id
        WHERE pl.order_id = l.order_id AND pl.position = l.position) p ON true
    LEFT JOIN LATERAL (
        SELECT sum(rl.quantity) AS refunded, sum(rl.withdrawn) AS withdrawn
        FROM refund_lines rl JOIN refunds ON refunds.id = rl.refund_id
        WHERE rl.order_id = l.order_id AND rl.position = l.position
            AND refunds.state NOT IN ('failed', 'canceled', 'refused')) r ON true;
COMMENT ON VIEW order_pieces IS 'The pieces of each line: ordered; sent and not returned; refunded; refunded and here.';

-- No piece is sent that was not bought, or that was refunded before. The order is locked first: two parcels at once, or
-- a parcel and a refund, would each see only itself and both fit.
CREATE FUNCTION pieces_within_order() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    line record;
BEGIN
    PERFORM FROM orders WHERE id = NEW.order_id FOR NO KEY UPDATE;  -- the reference holds KEY SHARE already
    SELECT * INTO line FROM order_pieces WHERE order_id = NEW.order_id AND position = NEW.position;
    IF line.sent + line.withdrawn > line.ordered THEN
        RAISE EXCEPTION 'of line % of order %, % were sent and % withdrawn, and only % ordered',
            NEW.position, NEW.order_id, line.sent, line.withdrawn, line.ordered
            USING ERRCODE = 'check_violation', CONSTRAINT = 'pieces_at_most_ordered';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION pieces_within_order IS 'Keeps what is sent of an order within what was bought and not refunded before.';
CREATE TRIGGER within_order AFTER INSERT OR UPDATE ON parcel_lines
    FOR EACH ROW EXECUTE FUNCTION pieces_within_order();
CREATE TRIGGER within_order AFTER INSERT ON refund_lines
    FOR EACH ROW EXECUTE FUNCTION pieces_within_order();

-- Rights and row-level security: a customer sees the parcels of his own order.

GRANT SELECT, INSERT ON parcels, parcel_lines TO {{prefix}}_checkout_worker;
GRANT UPDATE (state, delivered_at, returned_at) ON parcels TO {{prefix}}_checkout_worker;
GRANT UPDATE (withdrawn) ON parcel_lines TO {{prefix}}_checkout_worker;
GRANT SELECT ON order_pieces TO {{prefix}}_checkout_worker;
GRANT SELECT ON parcels, parcel_lines TO {{prefix}}_checkout_request;
GRANT SELECT ON parcels, parcel_lines, order_pieces TO {{prefix}}_auditor;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['parcels', 'parcel_lines'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
        EXECUTE format('CREATE POLICY request_own_order ON %I FOR SELECT TO {{prefix}}_checkout_request
                        USING (order_id = context_uuid(''order_id''))', t);
    END LOOP;
END $$;
