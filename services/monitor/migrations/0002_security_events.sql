-- What a security event said, so that a rule can tell people of it.

ALTER TABLE seen_events
    ADD COLUMN severity text CHECK (severity IN ('info', 'warning', 'critical')),
    ADD COLUMN detail   text CHECK (length(detail) <= 500);
COMMENT ON COLUMN seen_events.severity IS 'How grave its sender finds a security event; empty for all others.';
COMMENT ON COLUMN seen_events.detail IS 'What its sender says of a security event, which may name a client''s address.';
-- What the rules of security ask for every few seconds.
CREATE INDEX seen_events_alarms ON seen_events (occurred_at) WHERE severity IN ('warning', 'critical');
