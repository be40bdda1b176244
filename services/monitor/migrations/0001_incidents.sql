-- What the monitor has seen, what was wrong, and who was told.

CREATE TABLE seen_events (
    id           uuid PRIMARY KEY,
    type         text NOT NULL CHECK (length(type) BETWEEN 1 AND 100),
    occurred_at  timestamptz NOT NULL,
    order_id     uuid,
    order_number text CHECK (length(order_number) <= 100),
    category     text CHECK (length(category) <= 100),
    amount_minor bigint CHECK (amount_minor >= 0),
    currency     text CHECK (currency ~ '^[a-z]{3}$'),
    CONSTRAINT amount_has_currency CHECK ((amount_minor IS NULL) = (currency IS NULL))
);
COMMENT ON TABLE seen_events IS 'Events of all services as the rules and the page need them, for a day; no personal data.';
COMMENT ON COLUMN seen_events.category IS 'Why a payment try failed, as checkout sorted it.';
CREATE INDEX seen_events_latest ON seen_events (occurred_at, id);
-- What the rule of payment success counts every few seconds, without reading the table.
CREATE INDEX seen_events_payments ON seen_events (occurred_at, type)
    WHERE type IN ('order.paid', 'order.payment_failed');

CREATE TABLE incidents (
    id                   uuid PRIMARY KEY,
    rule                 text NOT NULL CHECK (length(rule) BETWEEN 1 AND 100),
    subject              text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
    dedup_key            text NOT NULL CHECK (length(dedup_key) BETWEEN 3 AND 301),
    severity             text NOT NULL CHECK (severity IN ('warning', 'critical')),
    summary              text NOT NULL CHECK (length(summary) BETWEEN 1 AND 1000),
    value                bigint NOT NULL CHECK (value >= 0),
    occurrences          bigint NOT NULL DEFAULT 1 CHECK (occurrences >= 1),
    opened_at            timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    last_seen_at         timestamptz NOT NULL,
    clear_since          timestamptz,
    resolved_at          timestamptz,
    told_at              timestamptz NOT NULL,
    told_severity        text NOT NULL CHECK (told_severity IN ('warning', 'critical')),
    told_value           bigint NOT NULL CHECK (told_value >= 0),
    previous_incident_id uuid REFERENCES incidents,
    CONSTRAINT resolved_after_it_was_clear CHECK (resolved_at IS NULL OR clear_since IS NOT NULL)
);
COMMENT ON TABLE incidents IS 'Something that a rule found wrong, from the first time it was seen until it was well for a while.';
COMMENT ON COLUMN incidents.occurrences IS 'How many evaluations found it wrong.';
COMMENT ON COLUMN incidents.clear_since IS 'Since when the rule finds it well; empty while it is wrong.';
COMMENT ON COLUMN incidents.told_at IS 'When the last message about it was written; told_severity and told_value are what it said.';
COMMENT ON COLUMN incidents.previous_incident_id IS 'The last incident of the same key: the same thing went wrong again.';
-- Several monitors may find the same thing at the same instant: one incident is opened.
CREATE UNIQUE INDEX incidents_open_once ON incidents (dedup_key) WHERE resolved_at IS NULL;
CREATE INDEX incidents_latest ON incidents (dedup_key, opened_at DESC);
CREATE INDEX incidents_recent ON incidents (opened_at DESC);

CREATE TABLE notifications (
    id           uuid PRIMARY KEY,
    incident_id  uuid NOT NULL REFERENCES incidents,
    transition   text NOT NULL CHECK (transition IN ('opened', 'updated', 'resolved')),
    channel      text NOT NULL CHECK (channel IN ('slack', 'mail')),
    severity     text NOT NULL CHECK (severity IN ('warning', 'critical')),
    summary      text NOT NULL CHECK (length(summary) BETWEEN 1 AND 1000),
    -- pending -> sending -> delivered | failed | pending again
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'delivered', 'failed')),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz,
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error   text CHECK (length(last_error) <= 1000),
    finished_at  timestamptz,
    CONSTRAINT sending_has_its_lease CHECK ((state = 'sending') = (leased_until IS NOT NULL)),
    CONSTRAINT finished_has_its_time CHECK ((state IN ('delivered', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT failed_has_its_error CHECK (state <> 'failed' OR last_error IS NOT NULL)
);
COMMENT ON TABLE notifications IS
    'A message to be sent, written with the change it tells of. Sent, then marked: a crash in between sends it again.';
CREATE UNIQUE INDEX notifications_told_once ON notifications (incident_id, transition, channel)
    WHERE transition <> 'updated';
-- What the sending jobs look for. Finished rows leave the index.
CREATE INDEX notifications_waiting ON notifications (channel, created_at) WHERE finished_at IS NULL;
CREATE INDEX notifications_by_incident ON notifications (incident_id, channel, created_at);

CREATE TABLE channels (
    channel     text PRIMARY KEY CHECK (channel IN ('slack', 'mail')),
    next_at     timestamptz NOT NULL DEFAULT '-infinity',
    slowed_why  text CHECK (length(slowed_why) <= 200)
);
COMMENT ON TABLE channels IS 'When each channel may be used next: its own pace, or what its receiver asked for; all monitors keep to it.';

GRANT SELECT, INSERT, DELETE ON seen_events TO {{prefix}}_monitor_worker;
GRANT SELECT, INSERT, UPDATE ON incidents, notifications, channels TO {{prefix}}_monitor_worker;
-- The page and the JSON of it only read.
GRANT SELECT ON seen_events, incidents, notifications TO {{prefix}}_monitor_request;
GRANT SELECT ON seen_events, incidents, notifications, channels TO {{prefix}}_auditor;
