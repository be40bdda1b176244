"""What the containers may take, and what their programs believe they may."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
UNITS = {"m": 2**20, "g": 2**30, "MB": 10**6, "GB": 10**9}


def test_the_broker_makes_publishers_wait_before_its_container_is_full():
    compose = (ROOT / "docker-compose.yml").read_text()
    conf = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
    limit = re.search(r"\n  rabbitmq:\n(?:    .*\n)*?    mem_limit: (\d+)([mg])\n", compose)
    watermark = re.search(r"^vm_memory_high_watermark\.absolute = (\d+)([MG]B)$", conf, re.M)
    assert limit
    assert watermark, "a share would be one of the machine's memory, not of the container's"
    assert int(watermark[1]) * UNITS[watermark[2]] <= 0.7 * int(limit[1]) * UNITS[limit[2]]
