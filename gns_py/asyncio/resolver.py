"""Host names to addresses, without blocking the loop."""

from __future__ import annotations

import asyncio

from .._core.resolver import is_numeric, resolve
from ..address import Address


async def resolve_in_executor(host: str, port: int) -> list[Address]:
    """Look a name up in the loop's executor. See resolve()."""
    if not isinstance(host, str) or not host or is_numeric(host):
        return resolve(host, port)
    return await asyncio.get_running_loop().run_in_executor(None, resolve, host, port)
