"""The whole suite as running processes, on a database and a broker of its own: for the demo, the tests, the chaos."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import aiohttp
import asyncpg

from deploy.demo.addresses import Addresses
from deploy.demo.backing import Backing
from deploy.demo.folders import make_folder
from deploy.demo.ground import Database, own_broker, own_database
from deploy.demo.keeper import death_signal
from deploy.demo.keys import StripeKeys
from deploy.demo.programs import ROOT, Ports, Setup, services, standins, storefront
from deploy.demo.supervisor import INHERITED, Program, Supervisor

CATALOGUE = ROOT / "deploy/demo/catalogue.toml"
READY_WITHIN_S = 180.0
COMMAND_WITHIN_S = 180.0

Report = Callable[[str], None]


class StageFailed(Exception):
    """Something could not be set up; the message ends with what it said last."""


@dataclass(frozen=True)
class Options:
    keys: StripeKeys
    is_shared: bool = False  # whether others use the same servers, as tests do
    changes: Mapping[str, str] = field(default_factory=dict)
    stripe_arguments: tuple[str, ...] = ()
    webhooks_port: int | None = None
    catalogue: Path = CATALOGUE


class Stage:
    """`async with Stage(…) as stage: await stage.prepare(); await stage.start()`. All of it is gone afterwards."""

    def __init__(self, backing: Backing, options: Options, report: Report) -> None:
        self.options = options
        self.supervisor = Supervisor(report, ROOT)
        self.http: aiohttp.ClientSession
        self.setup: Setup
        self.programs: dict[str, Program] = {}
        self._backing = backing
        self._stack = AsyncExitStack()

    @property
    def addresses(self) -> Addresses:
        return self.setup.addresses()

    @property
    def database(self) -> Database:
        return self.setup.database

    @property
    def logs(self) -> Path:
        return self.setup.logs

    async def __aenter__(self) -> "Stage":
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        open_ = self._stack.enter_async_context
        folder, lock_file = make_folder("stage", None)
        self._stack.callback(lock_file.close)
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        shares = {"is_shared": self.options.is_shared}
        self.setup = Setup(
            folder=folder,
            ports=Ports.free(self.options.webhooks_port),
            database=await open_(own_database(self._backing, **shares)),
            amqp_url=await open_(own_broker(self._backing, **shares)),
            management_url=self._backing.rabbitmq_management_url,
            keys=self.options.keys,
            changes=self.options.changes,
            stripe_arguments=self.options.stripe_arguments,
        )
        self.setup.logs.mkdir()
        self.http = await open_(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        self._stack.push_async_callback(self.supervisor.stop)

    async def prepare(self) -> None:
        """Roles, schemas and tables."""
        database = self.database
        passwords = {f"MIGRATE_{name.upper()}_PASSWORD": value for name, value in database.passwords.items()}
        env = {"MIGRATE_DATABASE_URL": database.owner_url, "MIGRATE_ROLE_PREFIX": database.prefix, **passwords}
        await self.command("migrate", ("-m", "shared.migrate"), env)

    async def start(self) -> None:
        """Stand-ins, services and the goods on the shelf."""
        programs = [*standins(self.setup), *services(self.setup), storefront(self.setup)]
        self.programs = {program.name: program for program in programs}
        await asyncio.gather(self.supervisor.start(*programs, within_s=READY_WITHIN_S), self._fill_shelves())

    async def _fill_shelves(self) -> None:
        await self.operate("import-catalogue", str(self.options.catalogue))

    async def operate(self, *arguments: str) -> str:
        """Run a command of the operator's; what it said. Raises StageFailed if it ended badly."""
        env = {
            "OPS_DATABASE_URL": self.database.url("checkout"),
            "OPS_AMQP_URL": self.setup.amqp_url,
            "OPS_ROLE_PREFIX": self.database.prefix,
        }
        return await self.command(arguments[0], ("-m", "deploy.ops", *arguments), env)

    async def command(self, name: str, arguments: tuple[str, ...], env: Mapping[str, str]) -> str:
        """Run one of our commands to its end; what it said. Raises StageFailed if it ended badly."""
        kept = {key: os.environ[key] for key in INHERITED if key in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**kept, **env},
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            preexec_fn=death_signal(),
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), COMMAND_WITHIN_S)
        except BaseException as error:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if isinstance(error, TimeoutError):
                raise StageFailed(f"{name} did not end within {COMMAND_WITHIN_S:g} s") from None
            raise
        said = output.decode(errors="replace")
        (self.logs / f"{name}.log").write_text(said)
        if process.returncode != 0:
            raise StageFailed(f"{name} failed:\n{said[-4000:]}")
        return said

    async def look(self, query: str, *arguments: object, as_owner: bool = False) -> "list[asyncpg.Record]":
        """Read the database as the auditor, who may see all of it and change nothing."""
        url = self.database.owner_url if as_owner else self.database.url("auditor")
        conn = await asyncpg.connect(url, timeout=30)
        try:
            return await conn.fetch(query, *arguments)
        finally:
            await conn.close()
