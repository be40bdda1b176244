"""Installing packages leaves the machine's own rules as they were."""

import stat
from pathlib import Path

import pytest

from deploy.demo import debian


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "POLICY", path)
    return path


def write(policy: Path, text: str) -> None:
    policy.write_text(text)
    policy.chmod(0o755)


def test_starts_are_refused_only_while_packages_are_installed(policy: Path) -> None:
    with debian.nothing_starts():
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & stat.S_IXUSR

    assert not policy.exists()


def test_a_policy_that_refuses_anyhow_is_left_alone(policy: Path) -> None:
    write(policy, "#!/bin/sh\n# the machine's own\nexit 101\n")

    with debian.nothing_starts():
        assert "the machine's own" in policy.read_text()

    assert "the machine's own" in policy.read_text()


def test_a_policy_that_allows_starts_comes_back_even_after_a_failure(policy: Path) -> None:
    write(policy, "#!/bin/sh\n# allows\nexit 0\n")

    def fail() -> None:
        with debian.nothing_starts():
            assert "exit 101" in policy.read_text()
            raise debian.InstallFailed

    with pytest.raises(debian.InstallFailed):
        fail()

    assert "# allows" in policy.read_text()
    assert [each.name for each in policy.parent.iterdir()] == ["policy-rc.d"]


@pytest.mark.parametrize("was_there", [True, False])
def test_no_cluster_is_made_and_nothing_of_that_wish_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_there: bool
) -> None:
    wish = tmp_path / "postgresql-common" / "createcluster.d" / "kct.conf"
    monkeypatch.setattr(debian, "POSTGRES_CONFIG", wish)
    if was_there:
        wish.parent.mkdir(parents=True)

    with debian.no_main_cluster():
        assert wish.read_text() == "create_main_cluster = false\n"

    assert not wish.exists()
    assert wish.parent.exists() == was_there


@pytest.mark.parametrize(
    ("line", "percent"),
    [
        ("pmstatus:rabbitmq-server:74.2857:Unpacking rabbitmq-server (amd64)\n", 74),
        ("pmstatus:libwrap0:amd64:20:Preparing\n", 20),
        ("dlstatus:1:50.0:Retrieving file 1 of 2\n", 0),
        ("Setting up erlang-base ...\n", 0),
    ],
)
def test_progress_is_read_from_apts_status_lines(line: str, percent: int) -> None:
    assert debian.percent_of(line) == percent
