-- Fulfilment, dispute and hold get their states; refunds, disputes and reviews get their rows.

-- Facts of an order

ALTER TABLE orders
    DROP CONSTRAINT orders_fulfilment_check,
    DROP CONSTRAINT orders_dispute_check,
    DROP CONSTRAINT orders_hold_check,
    ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT orders_fulfilment_check
        CHECK (fulfilment IN ('none', 'part_shipped', 'shipped', 'delivered', 'cancelled')),
    ADD CONSTRAINT orders_dispute_check
        CHECK (dispute IN ('none', 'inquiry', 'open', 'won', 'lost', 'closed')),
    ADD CONSTRAINT orders_hold_check
        CHECK (hold IN ('none', 'payment_differs', 'paid_too_late', 'paid_twice', 'refund_failed', 'review')),
    ADD CONSTRAINT orders_refunded_at_most_paid
        CHECK (refunded_minor >= 0 AND refunded_minor <= CASE WHEN payment = 'paid' THEN total_minor ELSE 0 END);
COMMENT ON COLUMN orders.refunded_minor IS 'What Stripe has given back of the payment that settled the order.';

-- The timeline is append-only: no role may change it, and the owner can't by accident.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION refuse_change IS 'Keeps even the owner from rewriting history by accident.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON order_timeline
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Refunds

ALTER TABLE payment_attempts
    DROP CONSTRAINT payment_attempts_operation_check,
    ADD CONSTRAINT payment_attempts_operation_check
        CHECK (operation IN ('create_intent', 'cancel_intent', 'create_refund'));
-- An order may have several refunds under way, each of them with one open attempt (see refunds.attempt_id).
DROP INDEX payment_attempts_one_open;
CREATE UNIQUE INDEX payment_attempts_one_open ON payment_attempts (order_id, operation)
    WHERE state IN ('pending', 'unknown') AND operation <> 'create_refund';

CREATE TABLE refunds (
    id                uuid PRIMARY KEY,
    order_id          uuid NOT NULL REFERENCES orders,
    payment_intent_id text NOT NULL REFERENCES payments,
    attempt_id        uuid REFERENCES payment_attempts,
    stripe_refund_id  text UNIQUE,
    amount_minor      bigint NOT NULL CHECK (amount_minor > 0),
    currency          text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    state             text NOT NULL CHECK (state IN
                          ('requested', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled', 'refused')),
    reason            text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    actor             text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    restock           boolean NOT NULL DEFAULT false,
    failure_reason    text,
    acknowledged_at   timestamptz,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT refunds_ours_or_stripes CHECK (attempt_id IS NOT NULL OR stripe_refund_id IS NOT NULL)
);
COMMENT ON TABLE refunds IS
    'Money given back. Ours are written before Stripe is asked; those of the Dashboard when we hear of them.';
COMMENT ON COLUMN refunds.acknowledged_at IS 'When a person dealt with a refund that failed; until then it holds its order.';
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_payment ON refunds (payment_intent_id);
CREATE INDEX refunds_requested ON refunds (created_at) WHERE state = 'requested';

CREATE TABLE refund_lines (
    refund_id uuid NOT NULL REFERENCES refunds,
    order_id  uuid NOT NULL,
    position  integer NOT NULL,
    quantity  bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (refund_id, position),
    FOREIGN KEY (order_id, position) REFERENCES order_lines (order_id, position)
);
COMMENT ON TABLE refund_lines IS 'Which pieces a refund is for.';
CREATE INDEX refund_lines_order ON refund_lines (order_id);

-- Never more is given back than came in. The payment's row is locked first: two refunds at once would each see
-- only itself and both fit. What Stripe tells of is a fact; it is held against other facts only, so that a wish of
-- ours that nobody has granted yet can't keep it from being written down.
CREATE FUNCTION refunds_within_payment() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    received bigint;
    given    bigint;
BEGIN
    IF NEW.state IN ('failed', 'canceled', 'refused') THEN
        RETURN NULL;
    END IF;
    SELECT amount_received_minor INTO received FROM payments
        WHERE payment_intent_id = NEW.payment_intent_id FOR NO KEY UPDATE;  -- the reference holds KEY SHARE already
    SELECT coalesce(sum(amount_minor), 0) INTO given FROM refunds
        WHERE payment_intent_id = NEW.payment_intent_id AND state NOT IN ('failed', 'canceled', 'refused')
            AND (NEW.state = 'requested' OR state <> 'requested');
    IF given > received THEN
        RAISE EXCEPTION 'refunds of % come to %, and only % came in', NEW.payment_intent_id, given, received
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_at_most_received';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION refunds_within_payment IS 'Keeps the refunds of a payment within what it brought, also when two are written at once.';
CREATE TRIGGER within_payment AFTER INSERT OR UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION refunds_within_payment();

-- Disputes and reviews

CREATE TABLE disputes (
    id                   text PRIMARY KEY,
    order_id             uuid NOT NULL REFERENCES orders,
    payment_intent_id    text NOT NULL REFERENCES payments,
    charge_id            text,
    status               text NOT NULL,
    reason               text NOT NULL,
    amount_minor         bigint NOT NULL CHECK (amount_minor >= 0),
    currency             text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    is_charge_refundable boolean NOT NULL,
    evidence_due_at      timestamptz,
    opened_at            timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE disputes IS 'What cardholders'' banks say against payments, as Stripe last showed it.';
CREATE INDEX disputes_order ON disputes (order_id);
CREATE INDEX disputes_payment ON disputes (payment_intent_id);

ALTER TABLE payments ADD COLUMN review text NOT NULL DEFAULT 'none' CHECK (review IN ('none', 'open', 'closed'));
COMMENT ON COLUMN payments.review IS 'Whether Radar wants a person to look at the payment before anything is sent.';

-- Rights and row-level security

GRANT SELECT, INSERT, UPDATE ON refunds, disputes TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT ON refund_lines TO {{prefix}}_checkout_worker;
GRANT SELECT ON refunds, refund_lines, disputes TO {{prefix}}_auditor;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['refunds', 'refund_lines', 'disputes'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
    END LOOP;
END $$;
