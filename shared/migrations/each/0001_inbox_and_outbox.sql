-- Run once in every service's schema: what makes publishing and handling exact.

CREATE TABLE outbox (
    id           uuid PRIMARY KEY,
    type         text NOT NULL,
    body         bytea NOT NULL CHECK (octet_length(body) <= 262144),
    traceparent  text,
    staged_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at       timestamptz NOT NULL DEFAULT '-infinity',
    attempts     integer NOT NULL DEFAULT 0,
    published_at timestamptz
);
COMMENT ON TABLE outbox IS 'Events that became true with the transaction that wrote them; the relay publishes them.';
-- What the relay looks for. Published rows leave the index, so it stays as small as what waits.
CREATE INDEX outbox_pending ON outbox (staged_at) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE inbox (
    consumer   text NOT NULL,
    event_id   uuid NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);
COMMENT ON TABLE inbox IS 'Which consumer has handled which event, claimed in the transaction that handled it.';
CREATE INDEX inbox_claimed ON inbox (claimed_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO {{prefix}}_{{schema}}_worker;
GRANT SELECT, INSERT, DELETE ON inbox TO {{prefix}}_{{schema}}_worker;
-- A request may announce what it did, and read nothing of what others announced.
GRANT INSERT ON outbox TO {{prefix}}_{{schema}}_request;
GRANT SELECT ON outbox, inbox TO {{prefix}}_auditor;
