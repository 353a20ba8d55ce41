"""Exceptions of handlers and of the blocks of with statements: single ones, and the groups of task groups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

_log = logging.getLogger("gns_py")
_LEAVING = (GeneratorExit, KeyboardInterrupt, SystemExit)


class Served(Protocol):
    """The internal end of a connection or of a session."""

    def is_own_end(self, error: BaseException) -> bool:
        """Return whether an exception only reports that this connection or session has ended."""


def report(served: Served, error: BaseException) -> None:
    """Log an exception that a handler raised, without parts that only report the end of its connection or session.

    An exception that is not an Exception, such as a cancellation, is raised again.
    """
    rest = _without(error, served.is_own_end)
    exceptions = None if rest is None else _without(rest, lambda each: not isinstance(each, Exception))
    if exceptions is not None:
        _log.error("the handler of %r failed", served, exc_info=exceptions)
    others = None if rest is None else _without(rest, lambda each: isinstance(each, Exception))
    if others is None:
        return
    if not _is_group(others):
        raise others
    if all(isinstance(each, asyncio.CancelledError) for each in _leaves(others)):
        raise asyncio.CancelledError from others  # else the task has failed, instead of being cancelled
    raise others


def is_leaving(error: BaseException | None, served: Served, *also: type[BaseException]) -> bool:
    """Return whether a block was merely left: without an exception, by its own end, by Ctrl-C, or by ``also``."""
    return error is None or all(
        isinstance(each, (*_LEAVING, *also)) or served.is_own_end(each) for each in _leaves(error)
    )


def without(error: BaseException, expected: type[BaseException]) -> BaseException | None:
    """Return an exception without its parts of the expected kind; None if nothing is left."""
    return _without(error, lambda each: isinstance(each, expected))


def _without(error: BaseException, expected: Callable[[BaseException], bool]) -> BaseException | None:
    if not _is_group(error):
        return None if expected(error) else error
    group: Any = error
    rest: BaseException | None = group.split(lambda each: not _is_group(each) and expected(each))[1]
    return rest


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if _is_group(error):
        group: Any = error
        for each in group.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _is_group(error: BaseException) -> bool:
    """Return whether it is a group; on Python 3.10, those of the package exceptiongroup look like this."""
    return isinstance(getattr(error, "exceptions", None), tuple) and callable(getattr(error, "split", None))
