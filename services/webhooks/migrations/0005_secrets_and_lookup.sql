-- Which signing secrets are held and used, and what staff need to find an event.

CREATE TABLE keyrings (
    instance text PRIMARY KEY CHECK (length(instance) BETWEEN 1 AND 200),
    names    text[] NOT NULL,
    untils   timestamptz[] NOT NULL,
    taken_at timestamptz NOT NULL,
    problem  text CHECK (length(problem) <= 500),
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT every_name_has_its_until CHECK (cardinality(names) = cardinality(untils))
);
COMMENT ON TABLE keyrings IS 'The names of the signing secrets that each running process holds; never a secret.';
COMMENT ON COLUMN keyrings.problem IS 'Why the process could not take its file over; it goes on with what it holds.';

CREATE TABLE secret_uses (
    name         text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 40),
    requests     bigint NOT NULL CHECK (requests > 0),
    last_used_at timestamptz NOT NULL,
    warned_until timestamptz
);
COMMENT ON TABLE secret_uses IS 'How often and when each signing secret last verified a request, by its name.';
COMMENT ON COLUMN secret_uses.warned_until IS 'The expiry that was warned of already.';

GRANT SELECT, INSERT, UPDATE, DELETE ON keyrings TO {{prefix}}_webhooks_worker;
GRANT SELECT, INSERT, UPDATE ON secret_uses TO {{prefix}}_webhooks_worker;
GRANT SELECT ON keyrings, secret_uses TO {{prefix}}_auditor;

-- Finding an event. Rows are found newest first, a page at a time; an index each for what people have in hand, and none
-- for type and state, which are asked for together with a time: every index is written twice for each event.
ALTER TABLE stripe_events ADD COLUMN order_id text CHECK (octet_length(order_id) <= 255);
COMMENT ON COLUMN stripe_events.order_id IS 'The order that the object names in its metadata, as it came.';
CREATE INDEX stripe_events_newest ON stripe_events (received_at, stripe_event_id);
CREATE INDEX stripe_events_by_object ON stripe_events (object_id, received_at) WHERE object_id IS NOT NULL;
CREATE INDEX stripe_events_by_order ON stripe_events (order_id, received_at) WHERE order_id IS NOT NULL;

-- A request still reads no event, unless a live session of staff is behind it: the database looks for itself.
GRANT SELECT ON stripe_events TO {{prefix}}_webhooks_request;
CREATE POLICY staff_reads ON stripe_events FOR SELECT TO {{prefix}}_webhooks_request USING (
    (SELECT true FROM staff.live_sessions
     WHERE id = nullif(current_setting('kct.staff_session', true), '')::uuid AND 'events.read' = ANY (rights))
);
