-- An incident that comes back soon after it was resolved is the same one.

ALTER TABLE incidents ADD COLUMN reopened_at timestamptz;
COMMENT ON COLUMN incidents.reopened_at IS 'When it was last found wrong again soon after it was resolved; then it has to be well for longer.';
-- What every evaluation asks for: may what is wrong be a relapse?
CREATE INDEX incidents_resolved ON incidents (resolved_at) WHERE resolved_at IS NOT NULL;

ALTER TABLE notifications DROP CONSTRAINT notifications_transition_check;
ALTER TABLE notifications ADD CONSTRAINT notifications_transition_check
    CHECK (transition IN ('opened', 'updated', 'reopened', 'resolved'));
-- One incident can be reopened and resolved several times; each change of its row still tells once.
DROP INDEX notifications_told_once;
CREATE UNIQUE INDEX notifications_told_once ON notifications (incident_id, transition, channel)
    WHERE transition = 'opened';
