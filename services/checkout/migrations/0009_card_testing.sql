-- Who tries cards here: failures, and unpaid orders, by keyed hashes of address, mail address and card.

CREATE TABLE order_origins (
    order_id  uuid PRIMARY KEY REFERENCES orders,
    email     bytea NOT NULL CHECK (octet_length(email) = 32),
    customer  bytea CHECK (octet_length(customer) = 32),
    address   bytea CHECK (octet_length(address) = 32),
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_unpaid boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE order_origins IS 'Where an order came from, as keyed hashes: failures are counted against them. Kept for a week.';
COMMENT ON COLUMN order_origins.customer IS 'Who was signed in.';
COMMENT ON COLUMN order_origins.address IS 'The client''s network address; null where it says nothing, as on this machine.';
CREATE INDEX order_origins_email ON order_origins (email, placed_at) WHERE is_unpaid;
CREATE INDEX order_origins_customer ON order_origins (customer, placed_at) WHERE is_unpaid;
CREATE INDEX order_origins_address ON order_origins (address, placed_at) WHERE is_unpaid;
CREATE INDEX order_origins_placed_at ON order_origins (placed_at);

CREATE TABLE card_failures (
    failure_id text NOT NULL CHECK (octet_length(failure_id) BETWEEN 1 AND 255),
    kind       text NOT NULL CHECK (kind IN ('order', 'card', 'email', 'customer', 'address', 'shop')),
    key        bytea NOT NULL CHECK (octet_length(key) = 32),
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (failure_id, kind)
);
COMMENT ON TABLE card_failures IS 'Cards that were refused, once for each of whom that is counted against; keys are keyed hashes. Kept for a week.';
CREATE INDEX card_failures_key ON card_failures (kind, key, at);
CREATE INDEX card_failures_at ON card_failures (at);

GRANT SELECT, INSERT ON order_origins TO {{prefix}}_checkout_request;
GRANT SELECT ON card_failures TO {{prefix}}_checkout_request;
GRANT SELECT, INSERT, DELETE ON card_failures TO {{prefix}}_checkout_worker;
GRANT SELECT, DELETE ON order_origins TO {{prefix}}_checkout_worker;
GRANT UPDATE (is_unpaid) ON order_origins TO {{prefix}}_checkout_worker;
GRANT SELECT ON order_origins, card_failures TO {{prefix}}_auditor;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['order_origins', 'card_failures'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
        -- A request counts what others did; it sees hashes, whose key only the service has.
        EXECUTE format('CREATE POLICY request_counts ON %I FOR SELECT TO {{prefix}}_checkout_request USING (true)', t);
    END LOOP;
END $$;
CREATE POLICY request_own_order ON order_origins FOR INSERT TO {{prefix}}_checkout_request
    WITH CHECK (order_id = context_uuid('order_id'));
