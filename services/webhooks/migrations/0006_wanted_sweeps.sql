-- Checkout asks for a search for undelivered events when it compares itself with Stripe, and wants to know what came.

CREATE TABLE wanted_sweeps (
    run_id    uuid PRIMARY KEY,
    wanted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE wanted_sweeps IS
    'Runs of reconciliation that wait for a sweep: answered, and deleted, by the first that begins after they asked.';

GRANT SELECT, INSERT, DELETE ON wanted_sweeps TO {{prefix}}_webhooks_worker;
GRANT SELECT ON wanted_sweeps TO {{prefix}}_auditor;
