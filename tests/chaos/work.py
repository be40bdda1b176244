"""Whether all jobs are at work, by what their processes say of themselves to the monitor."""

import asyncio
import contextlib
from collections.abc import Set

from prometheus_client.parser import text_string_to_metric_families

from deploy.demo.stage import Stage
from deploy.demo.waiting import TooLate, until

FAMILY = "job_last_success_timestamp_seconds"
# Longer than the rest of each job that is always at work; others have nothing to do for minutes.
STEADY_S = 5.0

Job = tuple[str, str]  # service, and what it calls the job


async def steady_jobs(stage: Stage) -> set[Job]:
    """Those that run again and again; takes STEADY_S."""
    before = await _last_successes(stage)
    await asyncio.sleep(STEADY_S)
    return {job for job, at in (await _last_successes(stage)).items() if at > before.get(job, at)}


async def idle_since(stage: Stage, jobs: Set[Job], since: float, within_s: float) -> set[Job]:
    """Those which, after waiting for all of them, have done nothing since then (Unix time)."""
    idle = set(jobs)

    async def probe() -> bool:
        ran = await _last_successes(stage)
        idle.intersection_update({job for job in idle if ran.get(job, 0.0) <= since})
        return not idle

    with contextlib.suppress(TooLate):
        await until(probe, "all jobs have run again", within_s)
    return idle


async def _last_successes(stage: Stage) -> dict[Job, float]:
    """Unix times; of all processes of a service, the latest."""
    async with stage.http.get(f"{stage.addresses.monitor_url}/metrics") as response:
        response.raise_for_status()
        families = text_string_to_metric_families(await response.text())
    found: dict[Job, float] = {}
    for sample in (sample for family in families if family.name == FAMILY for sample in family.samples):
        job = sample.labels["service"], sample.labels["job"]
        found[job] = max(sample.value, found.get(job, 0.0))
    return found
