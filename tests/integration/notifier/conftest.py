"""The notifier's database role, and its post: the real SMTP client against the stand-in."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from services.notifier.actions import Post
from services.notifier.journal import open_journal
from services.notifier.smtp_api import Smtp
from services.notifier.templates import Writer
from shared.db import Pool, open_pool
from tests.unit.notifier import letters

MakePost = Callable[..., Post]


@pytest.fixture
async def pool(clean) -> AsyncIterator[Pool]:
    async with open_pool(clean.url("notifier"), "notifier", clean.prefix, 30) as pool:
        yield pool


@pytest.fixture
def make_post(pool, smtp) -> Iterator[MakePost]:
    """The post with other settings; a failure mail has no grace unless asked for.

    A reply may take long: a try that timed out on a busy machine would be another outcome.
    """

    def make(**changed: Any) -> Post:
        given = {"smtp_port": smtp.smtp_port, "smtp_timeout_s": 30, "failure_grace_s": 0}
        settings = letters.settings(**(given | changed))
        journal = stack.enter_context(open_journal(settings.journal, timedelta(days=settings.journal_days)))
        return Post(pool, Smtp(settings), Writer(settings), journal, settings)

    with ExitStack() as stack:
        yield make


@pytest.fixture
def post(make_post) -> Post:
    return make_post()
