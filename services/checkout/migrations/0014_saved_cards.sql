-- Signed-in shoppers, what they agreed to, and what we asked Stripe for on their behalf. Cards themselves stay at Stripe.

CREATE TABLE customers (
    id                 uuid PRIMARY KEY,
    reference          text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    stripe_customer_id text,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT customers_reference_unique UNIQUE (reference),
    CONSTRAINT customers_stripe_unique UNIQUE (stripe_customer_id)
);
COMMENT ON TABLE customers IS
    'Shoppers whom the shop has signed in: reference is the shop''s word for them, id is derived from it.';

ALTER TABLE orders ADD COLUMN customer_id uuid REFERENCES customers;
CREATE INDEX orders_customer ON orders (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE card_consents (
    order_id    uuid PRIMARY KEY REFERENCES orders,
    customer_id uuid NOT NULL REFERENCES customers,
    version     text NOT NULL CHECK (length(version) BETWEEN 1 AND 60),
    given_at    timestamptz NOT NULL
);
COMMENT ON TABLE card_consents IS 'Who agreed, with which order and to which version of the text, that the card is kept.';
CREATE INDEX card_consents_customer ON card_consents (customer_id);

CREATE TABLE customer_attempts (
    id                uuid PRIMARY KEY,
    customer_id       uuid NOT NULL REFERENCES customers,
    operation         text NOT NULL CHECK (operation IN ('create_customer', 'detach_method')),
    payment_method_id text,
    request           jsonb NOT NULL,
    state             text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'succeeded', 'refused', 'unknown')),
    error_code        text,
    tries             integer NOT NULL DEFAULT 1,
    lease_until       timestamptz NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at       timestamptz,
    CONSTRAINT customer_attempts_name_their_method
        CHECK ((operation = 'detach_method') = (payment_method_id IS NOT NULL))
);
COMMENT ON TABLE customer_attempts IS
    'As payment_attempts, for POSTs that are about a customer and no order: the id is the Idempotency-Key.';
CREATE UNIQUE INDEX customer_attempts_one_open ON customer_attempts
    (customer_id, operation, coalesce(payment_method_id, '')) WHERE state IN ('pending', 'unknown');

-- Rights and row-level security: a request sees one shopper's rows, whatever its query says.

GRANT SELECT, INSERT ON customers, card_consents TO {{prefix}}_checkout_request;
GRANT UPDATE (stripe_customer_id) ON customers TO {{prefix}}_checkout_request;
GRANT SELECT, INSERT, UPDATE ON customer_attempts TO {{prefix}}_checkout_request;
GRANT SELECT ON customers, card_consents, customer_attempts TO {{prefix}}_checkout_worker, {{prefix}}_auditor;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['customers', 'card_consents', 'customer_attempts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['card_consents', 'customer_attempts'] LOOP
        EXECUTE format('CREATE POLICY request_own_customer ON %I TO {{prefix}}_checkout_request
                        USING (customer_id = context_uuid(''customer_id''))', t);
    END LOOP;
END $$;
CREATE POLICY request_own_customer ON customers TO {{prefix}}_checkout_request USING (id = context_uuid('customer_id'));
