"""`python -I deploy/ops/health.py [PATH] [PORT]`: 0 if this container answers, for its health check.

Nothing but the standard library, and none of ours: it runs every few seconds beside each service.
"""

import http.client
import sys

PATH, PORT = "/readyz", 8080
ANSWER_WITHIN_S = 4.0


def main(arguments: list[str]) -> int:
    """Asks once; what it prints is in `docker inspect`."""
    path, port = (*arguments, *(PATH, str(PORT))[len(arguments) :])
    # Not urllib: a proxy in the environment is not meant for ourselves.
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        print(answer.status, answer.read(500).decode(errors="replace"))
    except OSError as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
