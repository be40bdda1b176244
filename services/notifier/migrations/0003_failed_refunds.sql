-- A letter may be in a sender's hands when its refund fails: it is looked at once more before each try.

CREATE TABLE failed_refunds (
    order_id  uuid NOT NULL,
    refund_id uuid NOT NULL,
    event_id  uuid NOT NULL,
    failed_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, refund_id)
);
COMMENT ON TABLE failed_refunds IS 'Refunds known to have failed: what makes a mail about one untrue before it is sent.';

ALTER TABLE failed_refunds ENABLE ROW LEVEL SECURITY;
ALTER TABLE failed_refunds FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON failed_refunds TO {{prefix}}_notifier_worker USING (true) WITH CHECK (true);
CREATE POLICY auditor ON failed_refunds FOR SELECT TO {{prefix}}_auditor USING (true);
GRANT SELECT, INSERT ON failed_refunds TO {{prefix}}_notifier_worker;
GRANT SELECT ON failed_refunds TO {{prefix}}_auditor;
