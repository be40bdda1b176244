-- Disputes that wait for the shop's answer.

CREATE TABLE disputes (
    order_id    uuid PRIMARY KEY,
    number      text NOT NULL CHECK (length(number) BETWEEN 1 AND 100),
    dispute     text NOT NULL CHECK (length(dispute) BETWEEN 1 AND 100),
    due_at      timestamptz,
    occurred_at timestamptz NOT NULL,
    event_id    uuid NOT NULL
);
COMMENT ON TABLE disputes IS 'What checkout last said of each order that was ever disputed; no personal data.';
COMMENT ON COLUMN disputes.due_at IS 'By when the shop has to answer; empty when there is nothing to answer (any more).';
COMMENT ON COLUMN disputes.occurred_at IS 'Of the latest event about it: it tells later from earlier, whatever order events come in.';
CREATE INDEX disputes_due ON disputes (due_at) WHERE due_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON disputes TO {{prefix}}_monitor_worker;
GRANT SELECT ON disputes TO {{prefix}}_auditor;
