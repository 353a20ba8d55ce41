"""Looking up names without blocking the loop."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from gns_py._core.resolver import resolve
from gns_py.asyncio.resolver import resolve_in_executor

if TYPE_CHECKING:
    from support.loops import Runner


def test_a_name_is_looked_up_in_a_thread(run: Runner) -> None:
    async def main() -> None:
        assert await resolve_in_executor("localhost", 9) == resolve("localhost", 9)
        with pytest.raises(socket.gaierror, match="cannot resolve 'a\\.\\.b'"):
            await resolve_in_executor("a..b", 9)
        await asyncio.get_running_loop().shutdown_default_executor()
        with pytest.raises(RuntimeError, match="shutdown"):
            await resolve_in_executor("localhost", 9)

    run(main)


def test_an_address_needs_no_thread(run: Runner) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().shutdown_default_executor()
        for host in ("127.0.0.1", "::1", ""):
            assert await resolve_in_executor(host, 9) == resolve(host, 9)

    run(main)


def test_bad_arguments_are_refused_at_once(run: Runner) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().shutdown_default_executor()
        with pytest.raises(ValueError, match="is not a numeric IPv4 or IPv6 address"):
            await resolve_in_executor("127.1", 9)
        with pytest.raises(ValueError, match="port 65536 is out of range"):
            await resolve_in_executor("", 65536)
        with pytest.raises(TypeError, match="host must be a str, not bytes"):
            await resolve_in_executor(b"localhost", 9)  # type: ignore[arg-type]

    run(main)
