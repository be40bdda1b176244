import json

import pytest

from deploy.demo.failure import readable

ENTRY = {"ts": "2026-11-23T11:17:28.889+00:00", "level": "ERROR", "service": "checkout", "message": "buried"}


def test_a_log_line_is_shown_as_a_person_reads_it():
    assert readable(json.dumps({**ENTRY, "queue": "checkout.on_mail"})) == (
        "11:17:28.889 ERROR buried queue=checkout.on_mail"
    )


@pytest.mark.parametrize(("status", "is_shown"), [(200, False), (400, True), (503, True)])
def test_only_requests_that_went_wrong_are_shown(status, is_shown):
    line = json.dumps({**ENTRY, "logger": "shared.web.access", "message": "request", "status": status})
    assert bool(readable(line)) is is_shown


@pytest.mark.parametrize("line", ["Traceback (most recent call last):", "[]", "17", '{"no": "entry"}'])
def test_what_is_no_log_entry_is_shown_as_it_is(line):
    assert readable(line) == line
