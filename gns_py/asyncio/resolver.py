"""Names to addresses."""

from __future__ import annotations

import asyncio

from ..address import Address, is_numeric, resolve


async def lookup(host: str, port: int) -> list[Address]:
    """As resolve(): a name is looked up in the loop's executor."""
    if not isinstance(host, str) or not host or is_numeric(host):
        return resolve(host, port)
    return await asyncio.get_running_loop().run_in_executor(None, resolve, host, port)
