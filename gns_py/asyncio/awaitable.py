"""Objects that are awaited, or entered: connect(), listen(), serve(), and what close() returns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from .._uncopyable import Uncopyable

T = TypeVar("T", bound=AbstractAsyncContextManager[Any])
R = TypeVar("R")


class AwaitableContext(Uncopyable, Generic[T]):
    """``await`` it for what it opens, or ``async with`` it to have that closed at the end."""

    _opened: T

    def __await__(self) -> Generator[Any, None, T]:
        return self._open().__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._open()
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, value, traceback)

    @abstractmethod
    async def _open(self) -> T: ...


class Optionally(Generic[R]):
    """Something that continues by itself, and that can be awaited."""

    __slots__ = ("_wait",)

    def __init__(self, wait: Callable[[], Awaitable[R]]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, None, R]:
        return self._wait().__await__()
