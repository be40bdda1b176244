"""What people are told, as Slack blocks and as a plain text mail. Nothing in it is secret or personal."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.monitor.domain.incidents import Transition
from services.monitor.domain.rules import RULE_BY_NAME, Severity

# Slack refuses a section's text above 3,000 characters.
LONGEST_SUMMARY = 500

AGAIN = {Transition.UPDATED: ", changed", Transition.REOPENED: ", again"}


@dataclass(frozen=True)
class Notice:
    """One message to be sent: the incident as it was when the message was written."""

    transition: Transition
    rule: str
    subject: str
    severity: Severity
    summary: str
    opened_at: datetime
    resolved_at: datetime | None = None

    @property
    def title(self) -> str:
        """For example "CRITICAL: Service silent (checkout)"."""
        rule = RULE_BY_NAME.get(self.rule)
        what = f"{rule.title if rule else self.rule} ({self.subject})"
        if self.transition is Transition.RESOLVED:
            return f"RESOLVED: {what}"
        return f"{self.severity.upper()}{AGAIN.get(self.transition, '')}: {what}"

    @property
    def since(self) -> str:
        opened = f"{self.opened_at:%Y-%m-%d %H:%M:%S} UTC"
        if self.resolved_at is None:
            return f"since {opened}"
        return f"from {opened}, for {duration(self.resolved_at - self.opened_at)}"

    @property
    def next_step(self) -> str:
        if self.transition is Transition.RESOLVED:
            return "Nothing to do now; look at the page for what it left behind."
        rule = RULE_BY_NAME.get(self.rule)
        return rule.next_step if rule else "Look at the page."


def slack_message(notice: Notice, page_url: str) -> dict[str, Any]:
    """The body for an incoming webhook: text for notifications, blocks for the channel."""
    said = notice.summary[:LONGEST_SUMMARY]
    body = f"*{escape(notice.title)}*\n{escape(said)}\n*Next:* {escape(notice.next_step)}"
    footer = f"{escape(notice.since)} · <{escape(page_url)}|Open the monitor>"
    return {
        "text": escape(f"{notice.title}. {said}"),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": body}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": footer}]},
        ],
    }


def mail_text(notice: Notice, page_url: str) -> str:
    """The mail's body; its subject is the title."""
    return (
        f"{notice.title}\n\n{notice.summary}\n\n"
        f"Severity: {notice.severity.value}\nWhen: {notice.since}\nNext: {notice.next_step}\n\n{page_url}\n"
    )


def escape(text: str) -> str:
    """Slack's three control characters; without this a summary could mention everybody or hide a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def duration(length: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = max(0, round(length.total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
