"""Runs load, and says what it cost whom."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from deploy.demo.programs import ROOT


@dataclass
class Burst:
    """One run of the generator; `cpu_s` is what each watched process used until its work was done."""

    count: int
    began_at: float
    seconds: float
    times: list[float]
    generator_cpu_s: float
    cpu_s: dict[str, float] = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        return self.count / self.seconds

    def cpu_us(self, name: str) -> float:
        return self.cpu_s[name] / self.count * 1e6


async def child(module: str, plan: Mapping[str, Any]) -> dict[str, Any]:
    """What one of our own modules answers to a plan, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(json.dumps(plan).encode()), 150)
    if process.returncode != 0:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    answer: dict[str, Any] = json.loads(out)
    return answer


async def fire(plan: Mapping[str, Any], expected: str) -> Burst:
    """Send the load; every answer must have the expected status, or the figure would be of something else."""
    said = await child("tests.bench.generator", plan)
    if said["answers"] != {expected: plan["count"]}:
        raise RuntimeError(f"unexpected answers: {said['answers']}")
    return Burst(plan["count"], said["began_at"], said["seconds"], said["times"], said["cpu_s"])


def cpu_of(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds so far, user and system, children that live included."""
    return {name: _cpu(psutil.Process(pid)) for name, pid in pids.items()}


def _cpu(process: psutil.Process) -> float:
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # What a child used that has ended meanwhile (a server's session) is in its parent's account.
        total += times.user + times.system + times.children_user + times.children_system
    return total


def rss_mb(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1e6


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in before}
