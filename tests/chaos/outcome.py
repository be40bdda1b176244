"""What the run came to: the document for machines and the table for people."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.account import Account
from deploy.demo.stage import Stage
from tests.chaos.reconciling import ZEROS, Findings
from tests.chaos.shoppers import Trickle, success_rate
from tests.chaos.weather import Weather

SHOWN_EVIDENCE = 25


@dataclass
class Outcome:
    document: dict[str, Any]
    evidence: list[str]
    answers: Counter[str]
    outcomes: Counter[str]

    @property
    def is_well(self) -> bool:
        return not any(self.document[zero] for zero in ZEROS) and self.document["orders_paid"] > 0

    @classmethod
    async def of(
        cls, stage: Stage, trickle: Trickle, weather: Weather, findings: Findings, run: tuple[int, float, float]
    ) -> "Outcome":
        seed, seconds, _ = run
        memories = trickle.memories
        rows = await stage.look("SELECT id::text, extract(epoch FROM paid_at)::float8 AS at FROM checkout.orders")
        paid_at = {row["id"]: row["at"] for row in rows if row["at"]}
        settled = [
            max(0.0, paid_at[order] - memory.paid_at)
            for memory in memories
            for order in memory.order_ids
            if memory.paid_at and order in paid_at
        ]
        answered = sorted(memory.answered_ms for memory in memories if memory.answered_ms is not None)
        document = {
            "seconds": seconds,
            "shoppers": len(memories),
            "orders_paid": len(paid_at),
            "paid_per_minute": round(len(paid_at) / seconds * 60, 1),
            "success_rate": round(success_rate(memories), 4),
            **{f"p{part}_ms": round(_percentile(answered, part), 1) for part in (50, 95, 99)},
            "faults": dict(sorted(weather.faults.items())),
            "seed": seed,
            "recovery_p99_s": round(_percentile(sorted(weather.recoveries_s), 99), 1),
            "settle_max_s": round(max(settled, default=0.0), 1),
            **{zero: findings.counts[zero] for zero in ZEROS},
            "mail_possible_double": findings.mail_possible_double,
        }
        return cls(document, findings.evidence, trickle.answers, Counter(m.outcome for m in memories))

    def show(self, account: Account) -> None:
        account.say()
        rows = {name: value for name, value in self.document.items() if name != "faults"}
        for name, value in {**rows, **self.document["faults"]}.items():
            mark = "" if name not in ZEROS else "  must be 0" if value else "  as it must be"
            account.say(f"  {name:<28}{value!s:>10}{mark}")
        account.say()
        account.say("  answers to POST /v1/orders: " + _counts(self.answers))
        account.say("  how shoppers ended: " + _counts(self.outcomes))
        for line in self.evidence[:SHOWN_EVIDENCE]:
            account.complain(line)
        if len(self.evidence) > SHOWN_EVIDENCE:
            account.complain(f"and {len(self.evidence) - SHOWN_EVIDENCE} more")


def write(outcome: Outcome, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(outcome.document, indent=2) + "\n")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{what}: {number}" for what, number in counter.most_common())


def _percentile(values: list[float], part: int) -> float:
    return values[min(len(values) - 1, len(values) * part // 100)] if values else 0.0
