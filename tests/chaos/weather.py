"""What goes wrong: processes and servers are killed in turn, and last the broker falls silent; Stripe and the mail
server misbehave all the while.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from deploy.demo.backing import Backing
from deploy.demo.programs import SERVICES
from deploy.demo.stage import Stage
from deploy.demo.waiting import until
from deploy.demo.watching import Watcher
from tests.chaos.work import STEADY_S, Job, idle_since, steady_jobs

Report = Callable[[str], None]

BACK_WITHIN_S = 60.0
OWN_SERVERS = "chaos needs its own servers: unset DATABASE_URL and AMQP_URL"
SERVERS = ("rabbitmq", "postgres")

# A broker that neither answers nor hangs up: for longer than anything may wait for it. It is the last of all, since a
# process that is started again would hide a job that ended for good.
SILENCE = "silence of rabbitmq"
SILENCE_S = 20.0

# Webhooks on their way.
DELIVERIES = {
    "duplicate_probability": 0.25,
    "duplicate_count": 2,
    "shuffle_window_s": 1.5,
    "fail_probability": 0.1,
    "lose_probability": 0.03,
}
# Stripe's answers to us; "cut" is a body that stops in the middle. Browsers' own calls (…/confirm) are left alone.
CALLS = ("/v1/payment_intents", "/v1/payment_intents/*/cancel")
FAULTS = {"error_before": 0.04, "error_after": 0.04, "cut_before": 0.02, "cut_after": 0.03, "drop_after": 0.02}

# The mail server.
MAIL_FAULTS = ("drop_after_data", "drop_before_data", "greylist", "storage_full", "slow_reply")


class Weather:
    def __init__(self, stage: Stage, backing: Backing, dice: random.Random, report: Report) -> None:
        self._stage = stage
        self._backing = backing
        self._watcher = Watcher(stage.http, stage.addresses)
        self._dice = dice
        self._report = report
        self.faults: Counter[str] = Counter()
        self.recoveries_s: list[float] = []
        self.ended_jobs: set[Job] = set()

    async def run(self, seconds: float) -> None:
        """Bad weather for so long, then fair."""
        await self._begin()
        mails = asyncio.create_task(self._spoil_mails())
        try:
            await self._kill_in_turn(seconds - STEADY_S - SILENCE_S)
            await self._silence()
        finally:
            mails.cancel()
            await asyncio.gather(mails, return_exceptions=True)
        await self._clear()

    async def _kill_in_turn(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            targets = [*SERVICES, *SERVERS]
            self._dice.shuffle(targets)
            for target in targets:
                await asyncio.sleep(self._dice.uniform(1, 4))
                if time.monotonic() > end:
                    break
                await self._kill(target)

    async def _begin(self) -> None:
        rules = {**DELIVERIES, "seed": self._dice.getrandbits(31)}
        await self._watcher.control("POST", "deliveries/rules", rules)
        for kind, probability in FAULTS.items():
            for path in CALLS:
                fault = {"kind": kind, "method": "POST", "path": path, "times": None, "probability": probability}
                await self._watcher.control("POST", "faults", fault)

    async def _clear(self) -> None:
        for fault in (await self._watcher.control("GET", "faults"))["faults"]:
            self.faults[f"stripe {fault['kind']}"] += fault["hits"]
        log = (await self._watcher.control("GET", "deliveries?limit=100000"))["deliveries"]
        for entry in log:
            if entry["kind"] in {"duplicate", "lost"}:
                self.faults[f"webhook {entry['kind']}"] += 1
            elif entry["error"] == "lost on the way by rule":
                self.faults["webhook attempt lost"] += 1
        await self._watcher.control("DELETE", "faults")
        await self._watcher.control("DELETE", "deliveries/rules")
        async with self._stage.http.delete(f"{self._stage.addresses.mail_url}/_control/faults"):
            pass

    async def _spoil_mails(self) -> None:
        while True:
            await asyncio.sleep(self._dice.uniform(1, 4))
            kind = self._dice.choice(MAIL_FAULTS)
            order = {"kind": kind, "times": 1, "seconds": 1}
            async with self._stage.http.post(f"{self._stage.addresses.mail_url}/_control/faults", json=order):
                self.faults[f"mail {kind}"] += 1

    async def _kill(self, target: str) -> None:
        began = time.monotonic()
        if target in SERVERS:
            await self._kill_server(target)
        else:
            await self._kill_service(target)
        took = time.monotonic() - began
        self.faults[f"kill {target}"] += 1
        self.recoveries_s.append(took)
        self._report(f"{target} killed; all well again after {took:.1f} s")

    async def _silence(self) -> None:
        """Once it speaks again, every job that was at work before must be so again."""
        broker = self._backing.rabbitmq
        assert broker is not None, OWN_SERVERS
        steady = await steady_jobs(self._stage)
        await asyncio.to_thread(broker.freeze)
        try:
            await asyncio.sleep(SILENCE_S)
        finally:
            await asyncio.to_thread(broker.thaw)
        began, spoke_at = time.monotonic(), time.time()
        await self.all_ready()
        self.ended_jobs = await idle_since(self._stage, steady, spoke_at, BACK_WITHIN_S)
        took = time.monotonic() - began
        self.faults[SILENCE] += 1
        self.recoveries_s.append(took)
        at_work = f"{len(steady) - len(self.ended_jobs)} of {len(steady)} jobs at work again"
        self._report(f"rabbitmq was silent for {SILENCE_S:g} s; {at_work} {took:.1f} s after that")

    async def _kill_service(self, name: str) -> None:
        supervisor = self._stage.supervisor
        before = supervisor.restarts[name]
        supervisor.kill(name)

        async def probe() -> bool:
            return supervisor.restarts[name] > before

        await until(probe, f"{name} is started again", BACK_WITHIN_S)
        await supervisor.healthy(name, BACK_WITHIN_S)

    async def _kill_server(self, name: str) -> None:
        server = getattr(self._backing, name)
        assert server is not None, OWN_SERVERS
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(self._dice.uniform(0, 3))
        await asyncio.to_thread(server.start)
        await self.all_ready()

    async def all_ready(self) -> None:
        ready: list[Awaitable[None]] = [self._stage.supervisor.healthy(name, BACK_WITHIN_S) for name in SERVICES]
        await asyncio.gather(*ready)
