"""The journal of attempts: it survives restarts, forgets what is old, and says so when it can't be written."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from services.notifier.journal import JournalUnwritable, open_journal
from tests.unit.notifier.letters import a_letter, attempted

KEEP = timedelta(days=45)


async def test_an_attempt_is_admitted_once(tmp_path):
    letter = a_letter()
    with open_journal(tmp_path / "sent", KEEP) as journal:
        assert await journal.admits(attempted(letter, 1))
        assert not await journal.admits(attempted(letter, 1))
        assert await journal.admits(attempted(letter, 2))


async def test_an_attempt_that_was_not_noted_makes_room_for_no_other(tmp_path):
    letter = a_letter()
    with open_journal(tmp_path / "sent", KEEP) as journal:
        assert await journal.admits(attempted(letter, 2))  # the first met a journal that could not be written
        assert not await journal.admits(attempted(letter, 1))
        assert not await journal.admits(attempted(letter, 2))


async def test_it_remembers_over_a_restart_and_for_its_neighbours(tmp_path):
    path, letter, other = tmp_path / "sent", a_letter(), a_letter()
    with open_journal(path, KEEP) as journal:
        assert await journal.admits(attempted(letter, 1))
    with open_journal(path, KEEP) as journal, open_journal(path, KEEP) as neighbour:
        assert not await journal.admits(attempted(letter, 1))
        assert await neighbour.admits(attempted(other, 1))
        assert not await journal.admits(attempted(other, 1))
    assert path.stat().st_mode & 0o777 == 0o600


async def test_it_forgets_what_is_older_than_anything_that_may_still_be_sent(tmp_path):
    path, letter = tmp_path / "sent", a_letter()
    with open_journal(path, KEEP) as journal:
        await journal.admits(attempted(letter, 1))
        assert await journal.forget() == 0
    with open_journal(path, timedelta(days=-1)) as tomorrow:
        assert await tomorrow.forget() == 2  # and the note of its start
        assert await tomorrow.admits(attempted(letter, 1))


async def test_the_first_versions_lines_of_text_are_taken_over(tmp_path):
    path, letter, other = tmp_path / "sent", a_letter(), a_letter()
    path.write_text(f"\n{letter.message_id}\n\n{other.message_id}\n\n{letter.message_id}\n<order_confirmation.torn")
    for _ in range(2):
        with open_journal(path, KEEP) as journal:
            assert not await journal.admits(attempted(letter, 2))
            assert not await journal.admits(attempted(other, 1))
    with open_journal(path, KEEP) as journal:
        assert await journal.admits(attempted(letter, 3))


def test_several_that_start_at_once_take_them_over_once(tmp_path):
    path = tmp_path / "sent"
    path.write_text("".join(f"\n<{number}@shop.example>\n" for number in range(2000)))

    def attempts(_: int) -> int:
        with open_journal(path, KEEP) as journal:
            return journal._file.execute("SELECT count(*) FROM attempts WHERE number > 0").fetchone()[0]

    with ThreadPoolExecutor(4) as starting:
        assert [*starting.map(attempts, range(4))] == [2000] * 4
    assert [file.name for file in tmp_path.iterdir() if not file.name.endswith(("-wal", "-shm"))] == ["sent"]


def test_another_kind_of_file_is_left_alone(tmp_path):
    path = tmp_path / "sent"
    path.write_text("[settings]\nof = 'somebody else'\n")
    with pytest.raises(JournalUnwritable, match="another kind of file"), open_journal(path, KEEP):
        pass
    assert path.read_text().startswith("[settings]")


def test_a_journal_that_can_not_be_written_stops_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path, tmp_path / "missing" / "sent", tmp_path / "file" / "sent"):
        with pytest.raises(JournalUnwritable, match=f"the journal {wrong} can't be written"), open_journal(wrong, KEEP):
            pass


async def test_a_full_disk_is_said_and_nothing_is_noted(tmp_path):
    path, letter = tmp_path / "sent", a_letter()
    with open_journal(path, KEEP) as journal:
        file = journal._file
        (pages,) = file.execute("PRAGMA page_count").fetchone()
        file.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalUnwritable, match="full"):
            for number in range(1, 1000):
                last = attempted(a_letter(), number)
                assert await journal.admits(last)
        file.execute("PRAGMA max_page_count = 1000000")
        assert await journal.admits(last)
        assert await journal.admits(attempted(letter, 1))


async def test_without_a_journal_every_attempt_is_admitted():
    with open_journal(None, KEEP) as journal:
        assert await journal.admits(attempted(a_letter(), 1))
        assert await journal.admits(attempted(a_letter(), 1))
        assert await journal.forget() == 0
