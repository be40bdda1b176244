"""What the containers are made of, and what they may do."""

import json
from pathlib import Path

import pytest

from tests.compose.suite import ROOT, SERVICES, Suite

SHOP = ROOT / "deploy/compose/shop.env"

ALL = (*SERVICES, "migrate", "postgres", "rabbitmq", "prometheus", "stripe", "slack", "mailpit", "catalogue")
LASTING = tuple(name for name in ALL if name not in {"migrate", "catalogue"})

LOOK = """
import importlib.util, json, os, pathlib, sys
found = {
    "user": os.getuid(),
    "files": [path.relative_to("/app").as_posix() for path in pathlib.Path("/app").glob("*/*")
              if path.name != "__pycache__"],
    "pip": importlib.util.find_spec("pip") is not None,
    "pytest": importlib.util.find_spec("pytest") is not None,
    "tests": [str(path) for name in ("tests", "test_*", "conftest*") for path in pathlib.Path("/app").rglob(name)],
}
print(json.dumps(found))
"""

WRITE = """
import pathlib, sys
for place in sys.argv[1:]:
    try:
        pathlib.Path(place).write_text("x")
    except OSError as error:
        print(place, type(error).__name__)
    else:
        pathlib.Path(place).unlink()
        print(place, "written")
"""


def test_the_image_holds_the_product_and_nothing_else(suite: Suite) -> None:
    found = json.loads(suite.python("checkout", LOOK))
    assert found["user"] == 10001
    assert {file for file in found["files"] if file.startswith("deploy/")} == {"deploy/__init__.py", "deploy/ops"}
    assert {file.split("/")[0] for file in found["files"]} == {"deploy", "services", "shared"}
    assert (found["pip"], found["pytest"], found["tests"]) == (False, False, [])


def test_every_service_runs_the_same_image(suite: Suite) -> None:
    assert len({suite.inspect(service)["Image"] for service in (*SERVICES, "migrate", "catalogue")}) == 1
    assert suite.inspect("stripe")["Image"] != suite.inspect("checkout")["Image"]


@pytest.mark.parametrize("service", ALL)
def test_a_container_may_do_no_more_than_it_must(suite: Suite, service: str) -> None:
    found = suite.inspect(service)
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    user = found["Config"]["User"] or suite.compose("exec", "-T", service, "id", "-un").strip()
    assert user not in {"", "0", "root", "0:0"}


@pytest.mark.parametrize("service", LASTING)
async def test_a_container_is_started_again_and_says_how_it_is(suite: Suite, service: str) -> None:
    assert suite.inspect(service)["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    if service != "mailpit":  # its own image brings the check
        await suite.healthy(service)  # a story before this one may have started it anew


def test_nothing_is_published_but_on_the_loopback_and_never_the_database_or_the_broker(suite: Suite) -> None:
    for service in LASTING:
        published = [
            place for places in suite.inspect(service)["NetworkSettings"]["Ports"].values() for place in places or ()
        ]
        assert {place["HostIp"] for place in published} <= {"127.0.0.1"}, service
        if service in {"postgres", "rabbitmq", "notifier"}:
            assert published == [], service


def test_the_database_and_the_broker_have_no_way_out(suite: Suite) -> None:
    backing = f"{suite.project}_backing"
    assert json.loads(suite.docker("network", "inspect", backing))[0]["Internal"]
    for service in ("postgres", "rabbitmq", "migrate"):
        assert list(suite.inspect(service)["NetworkSettings"]["Networks"]) == [backing]


def test_no_secret_is_in_an_environment_a_command_or_an_image(suite: Suite) -> None:
    standins = {"sk_test_standin", "whsec_test_standin"}  # no secrets: the stand-in's command names them
    known = {file.name: file.read_text().strip() for file in suite.secrets.iterdir()}
    known = {name: value for name, value in known.items() if value and value not in standins and name != "slack_url"}
    assert len(known) > 10
    seen = "".join(json.dumps(suite.inspect(service)["Config"]) for service in ALL)
    seen += suite.docker("history", "--no-trunc", "kct-payments:test")
    assert [name for name, value in known.items() if value in seen] == []


def test_a_service_reads_only_its_own_secrets(suite: Suite) -> None:
    listing = "import os; print(*sorted(os.listdir('/run/secrets')))"
    assert suite.python("webhooks", listing).split() == [
        "amqp_url",
        "stripe_read_key",
        "stripe_webhook_secret",
        "webhooks_database_url",
    ]
    assert "stripe_secret_key" not in suite.python("notifier", listing).split()


def test_only_the_journal_of_mails_can_be_written_to(suite: Suite) -> None:
    said = suite.python("notifier", WRITE, "/app/x", "/venv/x", "/run/secrets/link_key", "/var/lib/kct/x")
    assert said.split() == [
        "/app/x",
        "OSError",
        "/venv/x",
        "OSError",
        "/run/secrets/link_key",
        "OSError",
        "/var/lib/kct/x",
        "written",
    ]


def test_without_the_profile_there_are_no_standins(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "env").write_text(SHOP.read_text() + f"KCT_ENV_FILE={SHOP}\n")
    named = suite.docker(
        "compose", "--project-directory", str(ROOT), "--env-file", str(tmp_path / "env"), "config", "--services"
    )
    assert set(named.split()) == {*SERVICES, "migrate", "postgres", "rabbitmq", "prometheus"}
    assert set(suite.compose("config", "--services").split()) == set(ALL)
