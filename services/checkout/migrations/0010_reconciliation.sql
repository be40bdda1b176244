-- Comparing ourselves with Stripe: the runs, and what they found that a person has to look at.

CREATE TABLE leaders (
    name  text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 63),
    fence bigint NOT NULL CHECK (fence >= 1),
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE leaders IS
    'A number per task that only one process does, higher for each new leader: what an earlier one still writes is refused.';

CREATE TABLE reconciliations (
    id                uuid PRIMARY KEY,
    wanted_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    wanted_by         text NOT NULL CHECK (length(wanted_by) BETWEEN 1 AND 200),
    reason            text CHECK (length(reason) <= 2000),
    since             timestamptz NOT NULL,
    until             timestamptz NOT NULL,
    budget            integer NOT NULL CHECK (budget >= 1),
    started_at        timestamptz,
    finished_at       timestamptz,
    fence             bigint NOT NULL DEFAULT 0,
    stage             text NOT NULL DEFAULT 'events' CHECK (stage IN
                      ('events', 'intents', 'refunds', 'disputes', 'unseen', 'stuck', 'findings', 'balance', 'done')),
    cursor            text CHECK (octet_length(cursor) <= 255),
    resume_at         timestamptz NOT NULL DEFAULT '-infinity',
    last_error        text CHECK (length(last_error) <= 200),
    failures          integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- What it cost, and what came of it
    turns             integer NOT NULL DEFAULT 0 CHECK (turns >= 0),
    reads             integer NOT NULL DEFAULT 0 CHECK (reads >= 0),
    events_answered_at timestamptz,
    events_listed     integer NOT NULL DEFAULT 0 CHECK (events_listed >= 0),
    events_fetched    integer NOT NULL DEFAULT 0 CHECK (events_fetched >= 0),
    objects_looked    integer NOT NULL DEFAULT 0 CHECK (objects_looked >= 0),
    objects_found     integer NOT NULL DEFAULT 0 CHECK (objects_found >= 0),
    objects_repaired  integer NOT NULL DEFAULT 0 CHECK (objects_repaired >= 0),
    objects_raised    integer NOT NULL DEFAULT 0 CHECK (objects_raised >= 0),
    balance_looked    integer NOT NULL DEFAULT 0 CHECK (balance_looked >= 0),
    balance_found     integer NOT NULL DEFAULT 0 CHECK (balance_found >= 0),
    balance_repaired  integer NOT NULL DEFAULT 0 CHECK (balance_repaired >= 0),
    balance_raised    integer NOT NULL DEFAULT 0 CHECK (balance_raised >= 0),
    interval_s        double precision NOT NULL DEFAULT 0 CHECK (interval_s >= 0),
    CONSTRAINT reconciliations_window CHECK (since <= until),
    CONSTRAINT reconciliations_done_is_finished CHECK ((stage = 'done') = (finished_at IS NOT NULL))
);
COMMENT ON TABLE reconciliations IS
    'Each comparison with Stripe: what it covers, how far it has come (stage, cursor), what it found and what that cost.';
COMMENT ON COLUMN reconciliations.budget IS 'Reads from Stripe a turn; when they are spent, the next turn goes on from there.';
COMMENT ON COLUMN reconciliations.interval_s IS 'When it finished: how long until the next one. Short after one that found something.';
-- One at a time; what is wished for waits until it starts.
CREATE UNIQUE INDEX reconciliations_one_at_a_time ON reconciliations ((true))
    WHERE started_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX reconciliations_finished ON reconciliations (finished_at);
CREATE INDEX reconciliations_waiting ON reconciliations (wanted_at) WHERE finished_at IS NULL;

CREATE TABLE reconciliation_seen (
    payment_intent_id text PRIMARY KEY
);
COMMENT ON TABLE reconciliation_seen IS
    'What the run under way has seen at Stripe: what we hold beside that, Stripe is asked for. Empty between two runs.';

CREATE TABLE reconciliation_findings (
    kind       text NOT NULL CHECK (length(kind) BETWEEN 1 AND 40),
    object_id  text NOT NULL CHECK (octet_length(object_id) BETWEEN 1 AND 255),
    order_id   uuid REFERENCES orders,
    detail     text NOT NULL CHECK (length(detail) <= 500),
    opened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_by    uuid NOT NULL,
    settled_at timestamptz,
    settled_by text CHECK (length(settled_by) <= 200),
    reason     text CHECK (length(reason) <= 2000),
    PRIMARY KEY (kind, object_id),
    CONSTRAINT reconciliation_findings_settled CHECK ((settled_at IS NULL) = (settled_by IS NULL))
);
COMMENT ON TABLE reconciliation_findings IS
    'What reconciliation found and may not put right by itself. Settled when it is no longer so, or when a person says so.';
COMMENT ON COLUMN reconciliation_findings.seen_by IS 'The run that saw it last.';
CREATE INDEX reconciliation_findings_open ON reconciliation_findings (seen_at) WHERE settled_at IS NULL;
CREATE INDEX reconciliation_findings_order ON reconciliation_findings (order_id) WHERE order_id IS NOT NULL;

-- For comparing what was placed lately.
CREATE INDEX orders_placed ON orders (placed_at);

GRANT SELECT, INSERT, UPDATE ON leaders, reconciliation_findings TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON reconciliations TO {{prefix}}_checkout_worker;
GRANT SELECT, INSERT, DELETE ON reconciliation_seen TO {{prefix}}_checkout_worker;
GRANT SELECT ON leaders, reconciliations, reconciliation_seen, reconciliation_findings TO {{prefix}}_auditor;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['reconciliations', 'reconciliation_seen', 'reconciliation_findings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true)', t);
        EXECUTE format('CREATE POLICY worker_all ON %I TO {{prefix}}_checkout_worker USING (true)', t);
        EXECUTE format('CREATE POLICY auditor_reads ON %I FOR SELECT TO {{prefix}}_auditor USING (true)', t);
    END LOOP;
END $$;
