-- What the notifier remembers: letters, the tries to send them, and which orders are paid.
--
--   pending ──▶ sending ──▶ accepted
--     ▲  │         ├──────▶ refused        the server said no for good
--     │  │         ├──────▶ pending        the server said not now (deferred): due again later
--     │  │         ├──────▶ expired        not now, and it would be too late
--     │  │         └──────▶ unknown        its reply was lost, or we were; a confirmation may be due once more
--     │  ├──▶ withdrawn                    no longer true when its time came
--     │  └──▶ expired
--     └── (a confirmation that is unknown is claimed again like a pending one, once)

CREATE TABLE letters (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('order_confirmation', 'payment_failed')),
    order_id       uuid NOT NULL,
    fact_id        text NOT NULL CHECK (length(fact_id) BETWEEN 1 AND 200),
    recipient      text NOT NULL CHECK (length(recipient) BETWEEN 3 AND 320),
    recipient_sha  text NOT NULL CHECK (recipient_sha ~ '^[0-9a-f]{64}$'),
    event_id       uuid NOT NULL,
    facts          jsonb NOT NULL CHECK (octet_length(facts::text) <= 262144),
    locale         text NOT NULL CHECK (length(locale) <= 35),
    currency       text NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    message_id     text NOT NULL CHECK (length(message_id) <= 250),
    date_header    timestamptz NOT NULL,
    state          text NOT NULL CHECK (state IN
                       ('pending', 'sending', 'accepted', 'refused', 'unknown', 'withdrawn', 'expired')),
    reason         text CHECK (length(reason) <= 40),
    due_at         timestamptz,
    expires_at     timestamptz NOT NULL,
    lease_until    timestamptz,
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    unknowns       integer NOT NULL DEFAULT 0 CHECK (unknowns BETWEEN 0 AND attempts),
    traceparent    text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at     timestamptz,
    -- One fact, one mail: however many events tell of it, and whichever ids they carry.
    CONSTRAINT letters_one_per_fact UNIQUE (kind, order_id, fact_id, recipient_sha),
    CONSTRAINT letters_message_id UNIQUE (message_id),
    CONSTRAINT letters_leased_while_sending CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CONSTRAINT letters_due_while_waiting CHECK (
        (state = 'pending' AND due_at IS NOT NULL) OR state = 'unknown' OR
        (state NOT IN ('pending', 'unknown') AND due_at IS NULL)),
    CONSTRAINT letters_resent_once CHECK (due_at IS NULL OR state <> 'unknown' OR unknowns <= 1)
);
COMMENT ON TABLE letters IS 'Mails to customers, one per fact: written as an intent, then sent by a job.';
CREATE INDEX letters_due ON letters (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX letters_leases ON letters (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX letters_order ON letters (order_id);

CREATE TABLE attempts (
    id            uuid PRIMARY KEY,
    letter_id     uuid NOT NULL REFERENCES letters ON DELETE CASCADE,
    number        integer NOT NULL CHECK (number >= 1),
    after_unknown boolean NOT NULL,
    instance      text NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    outcome       text CHECK (outcome IN ('accepted', 'deferred', 'refused', 'unknown')),
    reason        text CHECK (length(reason) <= 40),
    code          integer CHECK (code BETWEEN 100 AND 999),
    enhanced_code text CHECK (length(enhanced_code) <= 11),
    reply         text CHECK (length(reply) <= 500),
    CONSTRAINT attempts_numbered UNIQUE (letter_id, number),
    CONSTRAINT attempts_ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
COMMENT ON TABLE attempts IS 'One row per SMTP conversation, written before it begins; after_unknown marks a possible double.';
-- The last guard against two senders of one letter.
CREATE UNIQUE INDEX attempts_one_at_a_time ON attempts (letter_id) WHERE ended_at IS NULL;

CREATE TABLE paid_orders (
    order_id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    paid_at  timestamptz NOT NULL
);
COMMENT ON TABLE paid_orders IS 'Orders known to be paid: what makes a failure mail untrue before it is sent.';

ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE letters FORCE ROW LEVEL SECURITY;
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempts FORCE ROW LEVEL SECURITY;
ALTER TABLE paid_orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE paid_orders FORCE ROW LEVEL SECURITY;

-- No client asks the notifier for anything, so the request role has no right to any of this.
CREATE POLICY worker ON letters TO {{prefix}}_notifier_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON attempts TO {{prefix}}_notifier_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON paid_orders TO {{prefix}}_notifier_worker USING (true) WITH CHECK (true);
CREATE POLICY auditor ON letters FOR SELECT TO {{prefix}}_auditor USING (true);
CREATE POLICY auditor ON attempts FOR SELECT TO {{prefix}}_auditor USING (true);
CREATE POLICY auditor ON paid_orders FOR SELECT TO {{prefix}}_auditor USING (true);

GRANT SELECT, INSERT ON letters, attempts, paid_orders TO {{prefix}}_notifier_worker;
GRANT UPDATE (state, reason, due_at, lease_until, attempts, unknowns, settled_at) ON letters TO {{prefix}}_notifier_worker;
GRANT UPDATE (ended_at, outcome, reason, code, enhanced_code, reply) ON attempts TO {{prefix}}_notifier_worker;
GRANT SELECT ON letters, attempts, paid_orders TO {{prefix}}_auditor;
