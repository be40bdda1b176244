"""The health check of a container."""

import http.server
import threading

import pytest

from deploy.ops.health import main


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_what_answers_with_200_is_well_and_anything_else_is_not(port):
    assert main(["/readyz", port]) == 0
    assert main(["/other", port]) == 1


def test_what_does_not_answer_is_not_well(port):
    assert main(["/readyz", "1"]) == 1
