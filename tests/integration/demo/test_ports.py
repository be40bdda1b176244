"""Ports that a suite asked for are its own: another suite on this machine doesn't get them, running server or not."""

import asyncio
import socket
import subprocess
import sys

import pytest

from deploy.demo import private
from deploy.demo.private import free_ports

ANOTHER_SUITE = """
import sys
from deploy.demo import private
wanted = int(sys.argv[1])
private.PORTS = range(wanted, wanted + 2)
print(*private.free_ports(1))
"""


def asked_by_another_process(ports: range) -> int:
    answer = subprocess.run(
        [sys.executable, "-c", ANOTHER_SUITE, str(ports.start)], capture_output=True, text=True, check=True, timeout=120
    )
    return int(answer.stdout)


@pytest.fixture
def two_ports() -> range:
    """Neighbours of which nobody has either."""
    while True:
        (first,) = free_ports(1)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", first + 1))
            except OSError:
                continue
        return range(first, first + 2)


def test_another_process_does_not_get_a_port_whose_server_is_still_starting(two_ports):
    assert asked_by_another_process(two_ports) == two_ports.stop - 1


def test_it_could_get_it_if_the_port_were_only_looked_at(two_ports):
    """The bug, with the guard off: one of them answered for the other."""
    private._kept.pop(two_ports.start).close()
    got = {asked_by_another_process(two_ports) for _ in range(20)}
    assert two_ports.start in got


async def test_a_server_may_listen_on_its_port_again_and_again(two_ports):
    for _ in range(3):
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", two_ports.start)
        assert asked_by_another_process(two_ports) == two_ports.stop - 1
        server.close()
        await server.wait_closed()
