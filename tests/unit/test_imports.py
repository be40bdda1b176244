"""Each program can be imported by itself: a circle of imports shows only for whoever enters it at the wrong place."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["checkout", "webhooks", "notifier", "monitor"])
def test_a_service_can_be_imported_first(service):
    subprocess.run([sys.executable, "-c", f"import services.{service}.app"], check=True, timeout=60)
