"""Session stores that fail as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gns_py.session.store import Commit, MemoryStore, Record, StoreError, StoreUnavailable, Touch


class FaultyStore(MemoryStore):
    """A store in memory that can be away, slow, or lose its answers."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.is_away = False
        """True: nothing is carried out."""
        self.loses_answers = False
        """True: everything is carried out, and looks as if it were not."""
        self.delay = 0.0
        """Seconds before an operation is carried out."""
        self.opened = self.closed = 0
        self.commits = 0
        """How many calls of commit() there were."""

    async def open(self) -> None:
        self.opened += 1

    async def aclose(self) -> None:
        self.closed += 1

    async def create(self, record: Record) -> None:
        await self._begin()
        await super().create(record)
        self._answer()

    async def peek(self, session_id: bytes) -> Any:
        await self._begin()
        return await super().peek(session_id)

    async def claim(self, claim: Any) -> Record:
        await self._begin()
        record = await super().claim(claim)
        self._answer()
        return record

    async def commit(self, commits: Sequence[Commit]) -> list[StoreError | None]:
        self.commits += 1
        return await self._many(super().commit, commits)

    async def touch(self, touches: Sequence[Touch]) -> list[StoreError | None]:
        return await self._many(super().touch, touches)

    async def _many(self, operation: Any, items: Sequence[Any]) -> list[StoreError | None]:
        try:
            await self._begin()
            results: list[StoreError | None] = await operation(items)
            self._answer()
        except StoreUnavailable as error:
            return [error] * len(items)
        return results

    async def _begin(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.is_away:
            raise StoreUnavailable("away")

    def _answer(self) -> None:
        if self.loses_answers:
            raise StoreUnavailable("the answer was lost")
