"""The monitor's own metrics. What is watched is called `source`: `service` is the label of who reports."""

from shared.metrics import counter, gauge

INCIDENTS_OPEN = gauge("monitor_incidents_open", "Incidents that are open.", ("severity",))
INCIDENTS = counter("monitor_incidents_total", "Incidents by rule and transition.", ("rule", "transition"))
SNAPSHOT_AGE = gauge("monitor_snapshot_age_seconds", "Time since a service was last heard, by service.", ("source",))
SNAPSHOTS = counter("monitor_snapshots_total", "Snapshots that came in, by outcome.", ("outcome",))
DEAD_LETTERS = gauge("monitor_dead_letters", "Messages that could not be handled, by queue.", ("queue",))
NOTIFICATIONS = counter(
    "monitor_notification_attempts_total", "Tries to tell people, by outcome.", ("channel", "outcome")
)
RULE_FAILURES = counter("monitor_rule_failures_total", "Times that a rule itself broke.", ("rule",))
