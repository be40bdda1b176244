"""Mail to those who are on call."""

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib

from services.monitor.domain.delivery import Delivered, Outcome, Postponed, Refused
from services.monitor.domain.messages import Notice, mail_text
from services.monitor.settings import MonitorSettings


class Mailer:
    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings

    async def send(self, notice: Notice, message_id: str) -> Outcome:
        """Hands one mail over. A retry has the same Message-ID, so that mail programs show it once."""
        try:
            await self._hand_over(self._compose(notice, message_id))
        except aiosmtplib.SMTPResponseException as error:
            return _refusal(error.code)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refusal(min((each.code for each in error.recipients), default=0))
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            return Postponed(type(error).__name__)
        return Delivered()

    def _compose(self, notice: Notice, message_id: str) -> EmailMessage:
        sender = self._settings.alert_from or ""
        domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
        mail = EmailMessage()
        mail["From"] = sender
        mail["To"] = ", ".join(self._settings.alert_to)
        mail["Subject"] = " ".join(notice.title.split())
        mail["Date"] = format_datetime(notice.resolved_at or notice.opened_at)
        mail["Message-ID"] = f"<{message_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(mail_text(notice, self._settings.page))
        return mail

    async def _hand_over(self, mail: EmailMessage) -> None:
        settings = self._settings
        password = settings.smtp_password
        await aiosmtplib.send(
            mail,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            timeout=settings.send_timeout_s,
        )


def _refusal(code: int) -> Outcome:
    # The reply's text may repeat addresses; its code says enough.
    reason = f"the mail server answered {code}"
    return Refused(reason) if 500 <= code < 600 else Postponed(reason)
