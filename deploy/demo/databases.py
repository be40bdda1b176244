"""Databases made and dropped beside each other on one server, whoever that server belongs to."""

import asyncio
import secrets
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

T = TypeVar("T")


def fresh_name() -> str:
    return f"kct_{secrets.token_hex(6)}"


def with_database(url: str, name: str) -> str:
    """The same server, user and options, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(url: str, name: str) -> str:
    """Create a database on the server of `url`; returns its own URL."""
    wait_for(_execute(url, f'CREATE DATABASE "{name}"'))
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Drop it, also under those who are still connected."""
    wait_for(_execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def may_create_database(url: str) -> bool:
    return bool(wait_for(_may_create_database(url)))


def server_version(url: str) -> int:
    return int(wait_for(_server_version(url)))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _may_create_database(url: str) -> Any:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
    finally:
        await connection.close()


async def _server_version(url: str) -> int:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return connection.get_server_version().major
    finally:
        await connection.close()


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in a thread of its own: the caller's thread may have an event loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
