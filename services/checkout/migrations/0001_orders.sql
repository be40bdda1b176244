-- The catalogue, the stock, the orders and what we asked Stripe for.

CREATE FUNCTION context_uuid(name text) RETURNS uuid LANGUAGE sql STABLE
    RETURN nullif(current_setting('kct.' || name, true), '')::uuid;
COMMENT ON FUNCTION context_uuid IS 'Whose rows the current transaction is about; null, and so no rows, unless it said so.';

-- Catalogue

CREATE TABLE products (
    id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,60}$'),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    category    text NOT NULL CHECK (length(category) BETWEEN 1 AND 60),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    position    integer NOT NULL DEFAULT 0,
    active      boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE products IS 'What the shop sells; a product is bought as one of its variants.';

CREATE TABLE variants (
    sku        text PRIMARY KEY CHECK (sku ~ '^[A-Z0-9-]{1,40}$'),
    product_id text NOT NULL REFERENCES products,
    size       text NOT NULL,
    colour     text NOT NULL,
    position   integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE variants IS 'A product in one size and colour: what is priced, stocked and ordered.';
CREATE INDEX variants_product ON variants (product_id);

CREATE TABLE prices (
    sku              text NOT NULL REFERENCES variants,
    currency         text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    unit_price_minor bigint NOT NULL CHECK (unit_price_minor > 0),
    PRIMARY KEY (sku, currency)
);
COMMENT ON TABLE prices IS 'What a variant costs, in minor units; without a row it is not sold in that currency.';

-- Stock: available = on_hand - reserved; a sale lowers both.

CREATE TABLE stock (
    sku      text PRIMARY KEY REFERENCES variants,
    on_hand  bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    CONSTRAINT stock_not_oversold CHECK (reserved <= on_hand)
);
COMMENT ON TABLE stock IS 'How many pieces there are, and how many of them are promised to unpaid orders.';

CREATE TABLE stock_journal (
    id              uuid PRIMARY KEY,
    sku             text NOT NULL REFERENCES stock,
    on_hand_change  bigint NOT NULL,
    reserved_change bigint NOT NULL,
    reason          text NOT NULL CHECK (reason IN ('import', 'reserved', 'sold', 'released', 'adjusted')),
    order_id        uuid,
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE stock_journal IS 'Every change of stock; the sum of a SKU''s rows is its row in stock.';
CREATE INDEX stock_journal_sku ON stock_journal (sku);
CREATE INDEX stock_journal_order ON stock_journal (order_id) WHERE order_id IS NOT NULL;

-- Orders: payment, fulfilment, dispute and hold are facts of their own; what people read is derived from them.

CREATE TABLE orders (
    id               uuid PRIMARY KEY,
    number           text NOT NULL,
    email            text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    locale           text NOT NULL CHECK (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    currency         text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    total_minor      bigint NOT NULL CHECK (total_minor > 0),
    shipping_address jsonb NOT NULL,
    payment          text NOT NULL DEFAULT 'awaiting'
                     CHECK (payment IN ('awaiting', 'processing', 'failed', 'paid', 'expired')),
    fulfilment       text NOT NULL DEFAULT 'none' CHECK (fulfilment IN ('none')),
    dispute          text NOT NULL DEFAULT 'none' CHECK (dispute IN ('none')),
    hold             text NOT NULL DEFAULT 'none' CHECK (hold IN ('none', 'payment_differs', 'paid_too_late', 'paid_twice')),
    reserved_until   timestamptz NOT NULL,
    expiry_due_at    timestamptz NOT NULL,
    placed_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    paid_at          timestamptz,
    CONSTRAINT orders_number_unique UNIQUE (number),
    CONSTRAINT orders_paid_has_a_time CHECK ((payment = 'paid') = (paid_at IS NOT NULL))
);
COMMENT ON TABLE orders IS 'What a customer wants to buy, at the prices we set. expiry_due_at is when the expiry job looks (again).';
CREATE INDEX orders_to_expire ON orders (expiry_due_at) WHERE payment IN ('awaiting', 'failed', 'processing');

CREATE TABLE order_lines (
    order_id         uuid NOT NULL REFERENCES orders,
    position         integer NOT NULL CHECK (position >= 0),
    sku              text NOT NULL REFERENCES variants,
    name             text NOT NULL,
    variant          text NOT NULL,
    quantity         bigint NOT NULL CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CHECK (unit_price_minor > 0),
    line_total_minor bigint NOT NULL GENERATED ALWAYS AS (quantity * unit_price_minor) STORED,
    PRIMARY KEY (order_id, position)
);
COMMENT ON TABLE order_lines IS 'What was ordered, with name and price as they were then.';

CREATE TABLE order_timeline (
    id          uuid PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    what        text NOT NULL,
    actor       text NOT NULL,
    reason      text,
    traceparent text
);
COMMENT ON TABLE order_timeline IS 'What happened to an order, for whoever asks; rows are only added.';
CREATE INDEX order_timeline_order ON order_timeline (order_id, at);

CREATE TABLE idempotency_keys (
    key_sha256  bytea PRIMARY KEY CHECK (octet_length(key_sha256) = 32),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    order_id    uuid NOT NULL REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE idempotency_keys IS 'Which order a client''s Idempotency-Key made, and from which body.';
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Payments

CREATE TABLE payment_attempts (
    id                uuid PRIMARY KEY,
    order_id          uuid NOT NULL REFERENCES orders,
    operation         text NOT NULL CHECK (operation IN ('create_intent', 'cancel_intent')),
    request           jsonb NOT NULL,
    state             text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'succeeded', 'refused', 'unknown')),
    payment_intent_id text,
    error_code        text,
    tries             integer NOT NULL DEFAULT 0,
    lease_until       timestamptz NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at       timestamptz,
    CONSTRAINT payment_attempts_success_names_intent CHECK (state <> 'succeeded' OR payment_intent_id IS NOT NULL)
);
COMMENT ON TABLE payment_attempts IS
    'Every POST to Stripe, written before it is sent: the id is its Idempotency-Key, the request is repeated word for word.';
CREATE INDEX payment_attempts_order ON payment_attempts (order_id, operation, created_at);
-- While an outcome is unknown nothing is asked anew, only again.
CREATE UNIQUE INDEX payment_attempts_one_open ON payment_attempts (order_id, operation)
    WHERE state IN ('pending', 'unknown');

CREATE TABLE payments (
    payment_intent_id     text PRIMARY KEY,
    order_id              uuid NOT NULL REFERENCES orders,
    status                text NOT NULL,
    currency              text NOT NULL,
    amount_minor          bigint NOT NULL,
    amount_received_minor bigint NOT NULL DEFAULT 0 CHECK (amount_received_minor >= 0),
    charge_id             text,
    settles               boolean NOT NULL DEFAULT false,
    updated_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE payments IS 'What Stripe last told us about each PaymentIntent of an order.';
CREATE INDEX payments_order ON payments (order_id);
-- No order is paid twice, whatever events say (decision 9).
CREATE UNIQUE INDEX payments_one_settles ON payments (order_id) WHERE settles;

CREATE TABLE payment_failures (
    failure_id text PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES orders,
    category   text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen       integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE payment_failures IS 'Each refused try, once; seen counts the events that told us of it.';
CREATE INDEX payment_failures_order ON payment_failures (order_id);

CREATE TABLE resyncs (
    payment_intent_id text PRIMARY KEY,
    order_id          uuid NOT NULL REFERENCES orders,
    reason            text NOT NULL,
    requests          integer NOT NULL DEFAULT 1,
    due_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at           timestamptz
);
COMMENT ON TABLE resyncs IS 'PaymentIntents to be fetched from Stripe, because an event implied a move that was not legal.';
CREATE INDEX resyncs_due ON resyncs (due_at) WHERE done_at IS NULL;

-- Rights. The login role has none; these two are taken for a transaction.

GRANT SELECT ON products, variants, prices, stock TO {{prefix}}_checkout_request, {{prefix}}_checkout_worker;
GRANT INSERT, UPDATE ON products, variants, prices TO {{prefix}}_checkout_worker;
GRANT UPDATE (reserved) ON stock TO {{prefix}}_checkout_request;
GRANT INSERT, UPDATE ON stock TO {{prefix}}_checkout_worker;
GRANT INSERT ON stock_journal TO {{prefix}}_checkout_request;
GRANT SELECT, INSERT ON stock_journal TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT ON orders, order_lines, idempotency_keys, payments TO {{prefix}}_checkout_request;
GRANT SELECT, INSERT, UPDATE ON payment_attempts TO {{prefix}}_checkout_request;
GRANT INSERT ON order_timeline TO {{prefix}}_checkout_request;
GRANT SELECT, UPDATE ON orders TO {{prefix}}_checkout_worker;
GRANT SELECT ON order_lines TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT ON order_timeline TO {{prefix}}_checkout_worker;
GRANT SELECT, DELETE ON idempotency_keys TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT, UPDATE ON payment_attempts, payments, payment_failures, resyncs TO {{prefix}}_checkout_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA checkout TO {{prefix}}_auditor;

-- Row-level security: a request sees one order, or one idempotency key, whatever its query says.

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['orders', 'order_lines', 'order_timeline', 'idempotency_keys', 'payment_attempts',
                             'payments', 'payment_failures', 'resyncs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['order_lines', 'order_timeline', 'payment_attempts', 'payments'] LOOP
        EXECUTE format('CREATE POLICY request_own_order ON %I TO {{prefix}}_checkout_request
                        USING (order_id = context_uuid(''order_id''))', t);
    END LOOP;
END $$;
CREATE POLICY request_own_order ON orders TO {{prefix}}_checkout_request USING (id = context_uuid('order_id'));
CREATE POLICY request_own_key ON idempotency_keys TO {{prefix}}_checkout_request
    USING (key_sha256 = decode(nullif(current_setting('kct.idempotency_key', true), ''), 'hex'));
