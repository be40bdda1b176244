"""Schemathesis against a running service: what `/openapi.json` promises is tried, and broken, on the real thing.

A test of the suite tries a few examples of each operation; `make api-test EXAMPLES=500` many more.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

# A few in the suite: the phases that take long are left to `make api-test`.
EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
QUICK = ["phases.coverage.enabled = false", "phases.stateful.enabled = false", "generation.max-examples = 2"]
# Longer than any test of the suite may take; one with many examples says so itself (`--timeout`).
LONGEST_S = 3600


@dataclass(frozen=True)
class Given:
    """What the service is asked with: by security scheme the credentials, by `path.name` or `body.a.b` known values."""

    tokens: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # Operations that would spoil the others, such as one that ends the session.
    without: Sequence[str] = ()
    # By operation, what a check wants and we do otherwise, on purpose.
    checks_off: Mapping[str, str] = field(default_factory=dict)


async def examine(url: str, given: Given, folder: Path) -> None:
    """Fails with Schemathesis's own words when anything doesn't keep its promise."""
    config = folder / "schemathesis.toml"
    config.write_text(_toml(given), encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{url}/openapi.json"]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), LONGEST_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    sys.stdout.write(said.decode())
    assert process.returncode == 0, said.decode()


def _toml(given: Given) -> str:
    lines = [
        "color = false",
        "continue-on-failure = true",
        "max-stream-events = 1",
        "request-timeout = 20.0",
        *([f"generation.max-examples = {EXAMPLES}"] if EXAMPLES else QUICK),
        'generation.database = "none"',
        f"seed = {int(os.environ.get('SEED', '1'))}",
        'phases.coverage.unexpected-methods = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"]',
    ]
    lines += [
        f"auth.openapi.{scheme} = {{ {kind} = {_text(value)} }}" for scheme, (kind, value) in given.tokens.items()
    ]
    for number, (where, values) in enumerate(given.values.items()):
        lines.append(f"dictionaries.known{number}.values = {_text(list(values))}")
        lines.append(f'parameters."{where}" = {{ dictionary = "known{number}", probability = 0.5 }}')
    for name in given.without:
        lines += ["[[operations]]", f"include-operation-id = {_text(name)}", "enabled = false"]
    for name, check in given.checks_off.items():
        lines += ["[[operations]]", f"include-operation-id = {_text(name)}", f"checks.{check}.enabled = false"]
    return "\n".join(lines)


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
