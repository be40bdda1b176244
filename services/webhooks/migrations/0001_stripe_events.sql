-- What Stripe said, kept before it is answered: the inbox that is also the outbox.
--
-- Two tables, because a unique id can't be enforced across partitions: the ids stay small and in one piece, the bodies
-- lie in partitions by time that can be dropped whole once they are older than Stripe itself remembers.

CREATE TABLE stripe_event_ids (
    id             text PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 255),
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    received_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stripe_event_ids IS 'Every Stripe event ever accepted, once, with what it said as a digest.';
COMMENT ON COLUMN stripe_event_ids.content_digest IS
    'SHA-256 of the event without what differs between two deliveries of it; another one under the same id is suspicious.';

CREATE TABLE stripe_events (
    stripe_event_id text NOT NULL CHECK (octet_length(stripe_event_id) BETWEEN 1 AND 255),
    received_at     timestamptz NOT NULL DEFAULT now(),
    type            text NOT NULL CHECK (octet_length(type) BETWEEN 1 AND 255),
    object_id       text CHECK (octet_length(object_id) <= 255),
    api_version     text CHECK (octet_length(api_version) <= 255),
    livemode        boolean,
    body            bytea NOT NULL CHECK (octet_length(body) <= 4194304),
    headers         jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(headers::text) <= 16384),
    client_address  text CHECK (octet_length(client_address) <= 64),
    traceparent     text CHECK (octet_length(traceparent) <= 64),
    -- received -> published | ignored | failed; a redrive puts a row back to received
    state           text NOT NULL CHECK (state IN ('received', 'published', 'ignored', 'failed')),
    error           text CHECK (octet_length(error) <= 2000),
    attempts        integer NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT '-infinity',
    published_at    timestamptz,
    PRIMARY KEY (stripe_event_id, received_at),
    CONSTRAINT published_has_its_time CHECK ((state = 'published') = (published_at IS NOT NULL)),
    CONSTRAINT failed_has_its_error CHECK (state <> 'failed' OR error IS NOT NULL)
) PARTITION BY RANGE (received_at);
COMMENT ON TABLE stripe_events IS 'Stripe''s events as they came, signature checked, and what became of each.';

CREATE TABLE stripe_events_default PARTITION OF stripe_events DEFAULT;
COMMENT ON TABLE stripe_events_default IS 'Events of every time that has no partition of its own.';

-- What the publisher looks for. Rows that are done leave the index, so it stays as small as what waits.
CREATE INDEX stripe_events_waiting ON stripe_events (received_at) WHERE state = 'received';

ALTER TABLE stripe_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_events FORCE ROW LEVEL SECURITY;
-- Nobody is granted anything on the partition itself; should that change by mistake, this still shows no row.
ALTER TABLE stripe_events_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE stripe_events_default FORCE ROW LEVEL SECURITY;

-- A request may add what it was sent, and read no event, not even its own.
GRANT INSERT ON stripe_events, stripe_event_ids TO {{prefix}}_webhooks_request;
-- For ON CONFLICT, and to compare a repeat with what was said before; neither column is anybody's personal data.
GRANT SELECT (id, content_digest) ON stripe_event_ids TO {{prefix}}_webhooks_request;
CREATE POLICY request_adds ON stripe_events FOR INSERT TO {{prefix}}_webhooks_request
    WITH CHECK (state IN ('received', 'ignored') AND attempts = 0);

GRANT SELECT ON stripe_events TO {{prefix}}_webhooks_worker;
GRANT UPDATE (state, error, attempts, due_at, published_at) ON stripe_events TO {{prefix}}_webhooks_worker;
CREATE POLICY worker_reads ON stripe_events FOR SELECT TO {{prefix}}_webhooks_worker USING (true);
CREATE POLICY worker_marks ON stripe_events FOR UPDATE TO {{prefix}}_webhooks_worker USING (true);

GRANT SELECT ON stripe_events, stripe_event_ids TO {{prefix}}_auditor;
CREATE POLICY auditor_reads ON stripe_events FOR SELECT TO {{prefix}}_auditor USING (true);
