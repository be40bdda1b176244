-- When an event came to us: what is told of an event must not depend on how long it was on its way.

ALTER TABLE seen_events ADD COLUMN seen_at timestamptz;
UPDATE seen_events SET seen_at = occurred_at;
ALTER TABLE seen_events ALTER COLUMN seen_at SET DEFAULT clock_timestamp(), ALTER COLUMN seen_at SET NOT NULL;
COMMENT ON COLUMN seen_events.seen_at IS 'When the monitor kept it; occurred_at may be long before, after an outage of the broker.';
-- What the rules of security ask for every few seconds.
DROP INDEX seen_events_alarms;
CREATE INDEX seen_events_alarms ON seen_events (seen_at) WHERE severity IN ('warning', 'critical');
