"""Which errors of the operating system are an outage, and which are our own fault."""

import errno
import socket

import pytest

from shared.web.errors import is_of_network


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        TimeoutError(),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(errno.ENETUNREACH, "Network is unreachable"),
    ],
    ids=repr,
)
def test_a_host_that_can_not_be_reached_is_an_outage(error):
    assert is_of_network(error)


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(errno.ENOENT, "no such file", "x"), PermissionError(errno.EACCES, "no", "x"), OSError()],
    ids=repr,
)
def test_trouble_with_a_file_is_not(error):
    assert not is_of_network(error)
