"""Slack's incoming webhook. Its address is the secret: it is in no log, error or span."""

import aiohttp

from services.monitor.domain.delivery import (
    Delivered,
    Outcome,
    Postponed,
    Refused,
    Slowed,
    retry_after_s,
)
from services.monitor.domain.messages import Notice, slack_message

TOO_MANY = 429


class Slack:
    def __init__(self, session: aiohttp.ClientSession, url: str, page_url: str) -> None:
        self._session = session
        self._url = url
        self._page_url = page_url

    async def send(self, notice: Notice, message_id: str) -> Outcome:
        """Posts one message. A lost answer counts as not sent: twice is better than never."""
        try:
            async with self._session.post(self._url, json=slack_message(notice, self._page_url)) as response:
                return _outcome(response.status, response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Postponed(type(error).__name__)
        except ValueError:  # aiohttp's InvalidURL repeats the address
            return Refused("the address of the webhook is not valid")


def _outcome(status: int, retry_after: str | None) -> Outcome:
    if status == TOO_MANY:
        return Slowed(retry_after_s(retry_after))
    if status < 300:
        return Delivered()
    # The webhook was revoked, its channel archived, or we send what Slack can't read: no retry mends that.
    return Refused(f"Slack answered {status}") if status < 500 else Postponed(f"Slack answered {status}")
