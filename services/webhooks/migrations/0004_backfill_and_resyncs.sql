-- What we ask Stripe by ourselves: events it could not deliver, objects as they are now, and whether its endpoint for
-- us is well. All of it shares one budget of reads.

ALTER TABLE stripe_events ADD COLUMN origin text NOT NULL DEFAULT 'delivery' CHECK (origin IN ('delivery', 'backfill'));
COMMENT ON COLUMN stripe_events.origin IS
    'How it came: delivered and signed, or fetched from Stripe by our key, which takes the place of a signature.';

-- Stripe renders an event for each API version that somebody asked for. One that was fetched in another version than
-- our endpoint's can't be compared with what may still be delivered.
ALTER TABLE stripe_event_ids ALTER COLUMN content_digest DROP NOT NULL;
COMMENT ON COLUMN stripe_event_ids.content_digest IS
    'SHA-256 of the event without what differs between two deliveries of it; another one under the same id is suspicious. '
    'Empty for an event that was fetched in another API version, which can''t be compared.';

GRANT INSERT ON stripe_events, stripe_event_ids TO {{prefix}}_webhooks_worker;
GRANT SELECT ON stripe_event_ids TO {{prefix}}_webhooks_worker;
CREATE POLICY worker_adds_found ON stripe_events FOR INSERT TO {{prefix}}_webhooks_worker
    WITH CHECK (origin = 'backfill' AND state IN ('received', 'ignored') AND attempts = 0);
CREATE POLICY worker_adds_found ON stripe_event_ids FOR INSERT TO {{prefix}}_webhooks_worker WITH CHECK (true);

CREATE TABLE leaders (
    name  text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 63),
    fence bigint NOT NULL CHECK (fence >= 1),
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE leaders IS
    'A number per task that only one process does, higher for each new leader: what an earlier one still writes is refused.';

CREATE TABLE backfill (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    fence        bigint NOT NULL DEFAULT 0,
    seen_at      timestamptz,
    due_at       timestamptz NOT NULL DEFAULT 'epoch',
    interval_s   double precision NOT NULL DEFAULT 0 CHECK (interval_s >= 0),
    failures     integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_error   text CHECK (length(last_error) <= 200),
    swept_until  timestamptz,
    finished_at  timestamptz,
    -- The sweep under way
    sweep_from   timestamptz,
    sweep_began  timestamptz,
    cursor       text CHECK (octet_length(cursor) <= 255),
    is_due_again boolean NOT NULL DEFAULT false,
    found        integer NOT NULL DEFAULT 0 CHECK (found >= 0),
    stored       integer NOT NULL DEFAULT 0 CHECK (stored BETWEEN 0 AND found),
    oldest       timestamptz,
    newest       timestamptz,
    CONSTRAINT a_sweep_has_its_begin CHECK ((sweep_from IS NULL) = (sweep_began IS NULL)),
    CONSTRAINT only_a_sweep_has_a_cursor CHECK (cursor IS NULL OR sweep_from IS NOT NULL)
);
COMMENT ON TABLE backfill IS 'How far the search for undelivered events has come; one row.';
COMMENT ON COLUMN backfill.seen_at IS 'When a leader last was up, with database and broker; a gap means an outage.';
COMMENT ON COLUMN backfill.swept_until IS 'Everything created before it was listed; the next sweep begins a while before.';
COMMENT ON COLUMN backfill.is_due_again IS 'There was an outage since the sweep began: another one follows at once.';
COMMENT ON COLUMN backfill.cursor IS 'The last event of the page that was stored last; the sweep goes on behind it.';

CREATE TABLE stripe_reads (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    tokens   double precision NOT NULL CHECK (tokens >= 0),
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE stripe_reads IS
    'What is left of the budget of reads from Stripe, shared by all processes, as of a moment; it fills up steadily.';

CREATE TABLE resyncs (
    id           uuid PRIMARY KEY,
    object_id    text NOT NULL CHECK (octet_length(object_id) BETWEEN 1 AND 255),
    actor        text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    reason       text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- waiting -> told | nothing_to_tell | unknown_object | not_ours | refused
    state        text NOT NULL DEFAULT 'waiting'
                 CHECK (state IN ('waiting', 'told', 'nothing_to_tell', 'unknown_object', 'not_ours', 'refused')),
    due_at       timestamptz NOT NULL DEFAULT '-infinity',
    tries        integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    detail       text CHECK (length(detail) <= 500),
    finished_at  timestamptz,
    CONSTRAINT finished_has_its_time CHECK ((state = 'waiting') = (finished_at IS NULL))
);
COMMENT ON TABLE resyncs IS 'Objects that somebody wants told again as Stripe has them now, and what came of each.';
COMMENT ON COLUMN resyncs.object_id IS 'A PaymentIntent (pi_…), an event about one (evt_…), or an order''s id.';
CREATE INDEX resyncs_waiting ON resyncs (due_at) WHERE state = 'waiting';

CREATE TABLE event_hours (
    hour   timestamptz PRIMARY KEY CHECK (extract(epoch FROM hour)::bigint % 3600 = 0),
    events integer NOT NULL CHECK (events >= 0)
);
COMMENT ON TABLE event_hours IS
    'How many events were delivered in each hour of the last weeks: what is usual, kept longer than the events themselves.';

CREATE TABLE endpoint_watch (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    heard_at       timestamptz,
    silent_since   timestamptz,
    is_usual_known boolean NOT NULL DEFAULT false,
    checked_at     timestamptz,
    check_due_at   timestamptz NOT NULL DEFAULT 'epoch',
    failures       integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    problems       text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE endpoint_watch IS 'What we know of Stripe''s endpoint for us: whether it speaks, and whether it is set right; one row.';
COMMENT ON COLUMN endpoint_watch.problems IS 'What is wrong with it as Stripe has it, by name; see domain/endpoint.py.';

GRANT SELECT, INSERT, UPDATE ON leaders, backfill, stripe_reads, resyncs, endpoint_watch TO {{prefix}}_webhooks_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_hours TO {{prefix}}_webhooks_worker;
-- A page of the staff may ask for a resync, in the transaction of its request, and show what came of it.
GRANT SELECT, INSERT ON resyncs TO {{prefix}}_webhooks_request;
GRANT SELECT ON leaders, backfill, stripe_reads, resyncs, event_hours, endpoint_watch TO {{prefix}}_auditor;
