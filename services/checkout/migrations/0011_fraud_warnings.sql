-- Early fraud warnings of Radar: each holds its order until a person decides, or the money is gone anyway.

ALTER TABLE orders
    DROP CONSTRAINT orders_hold_check,
    ADD CONSTRAINT orders_hold_check CHECK (hold IN
        ('none', 'payment_differs', 'paid_too_late', 'paid_twice', 'refund_failed', 'fraud_warning', 'review'));

CREATE TABLE fraud_warnings (
    id                text PRIMARY KEY,
    order_id          uuid NOT NULL REFERENCES orders,
    payment_intent_id text NOT NULL REFERENCES payments,
    charge_id         text,
    fraud_type        text NOT NULL CHECK (length(fraud_type) BETWEEN 1 AND 100),
    is_actionable     boolean NOT NULL,
    warned_at         timestamptz NOT NULL,
    acknowledged_at   timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE fraud_warnings IS 'What cards'' banks warn of, as Stripe last showed it.';
COMMENT ON COLUMN fraud_warnings.acknowledged_at IS 'When a person decided to send the order all the same.';
CREATE INDEX fraud_warnings_order ON fraud_warnings (order_id);
CREATE INDEX fraud_warnings_payment ON fraud_warnings (payment_intent_id);

GRANT SELECT, INSERT, UPDATE ON fraud_warnings TO {{prefix}}_checkout_worker;
GRANT SELECT ON fraud_warnings TO {{prefix}}_auditor;
ALTER TABLE fraud_warnings ENABLE ROW LEVEL SECURITY;
ALTER TABLE fraud_warnings FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON fraud_warnings TO CURRENT_USER USING (true);
CREATE POLICY worker_all ON fraud_warnings TO {{prefix}}_checkout_worker USING (true);
CREATE POLICY auditor_reads ON fraud_warnings FOR SELECT TO {{prefix}}_auditor USING (true);
