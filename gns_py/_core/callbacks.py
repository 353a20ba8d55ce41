"""Functions that a program passes in to be called: which ones can be called, and how."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class NeverRunError(TypeError):
    """A callback returned a coroutine or a generator, so its body has not run."""


def is_coroutine_function(function: object) -> bool:
    """Return whether calling a function returns a coroutine.

    This includes a functools.partial of a coroutine function, and an object whose ``__call__`` is one.
    """
    return _is(inspect.iscoroutinefunction, function)


def check_plain(name: str, function: object) -> None:
    """Check that a function, or None, can be called where nothing awaits its result.

    Raises:
        TypeError: It is not callable, or a coroutine function or generator function.
    """
    if function is None:
        return
    _check_callable(name, function)
    if is_coroutine_function(function):
        raise TypeError(f"{name} must be a plain function, not a coroutine function: nothing would await it")
    _check_no_generator(name, function)


def check_handler(function: object) -> None:
    """Check that the result of calling a function can be awaited.

    A plain function may return an awaitable: then its annotation says so, or it wraps a coroutine function.

    Raises:
        TypeError: The function returns nothing to await.
    """
    _check_callable("handler", function)
    _check_no_generator("handler", function)
    if is_coroutine_function(function) or not (inspect.isfunction(function) or inspect.ismethod(function)):
        return
    if is_coroutine_function(inspect.unwrap(function)):
        return
    if function.__annotations__.get("return") in (None, "None"):
        raise TypeError(
            "handler must be a coroutine function (async def); if it is a plain function that returns an awaitable, "
            "annotate what it returns"
        )


def in_context(name: str, function: Callable[[T], R]) -> Callable[[T], R]:
    """Return a function that calls the given one in the present context (contextvars), each time in a copy of it.

    The returned function raises NeverRunError if the function returns a coroutine or a generator.
    """
    context = contextvars.copy_context()

    def call(argument: T) -> R:
        # A copy, since a context cannot be entered twice at once, by a second thread or within itself.
        result = context.copy().run(function, argument)
        if isinstance(result, Coroutine | Generator):
            result.close()  # or Python complains that it was never awaited
        elif not isinstance(result, AsyncGenerator):
            return result
        raise NeverRunError(f"{name} must be a plain function: {function!r} returned a {type(result).__name__}")

    return call


async def awaited(handler: Callable[[T], Awaitable[object]], argument: T) -> None:
    """Call a handler and await what it returns; raise TypeError if that cannot be awaited."""
    answer = handler(argument)
    if not inspect.isawaitable(answer):
        raise TypeError(f"handler must be a coroutine function (async def): {handler!r} returned {answer!r}")
    await answer


def _check_callable(name: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def _check_no_generator(name: str, function: object) -> None:
    # A generator function that types.coroutine() has made awaitable is fine.
    is_generator = _is(inspect.isgeneratorfunction, function) and not _is(_is_iterable_coroutine, function)
    if is_generator or _is(inspect.isasyncgenfunction, function):
        raise TypeError(f"{name} must not be a generator function: its body would never run")


def _is_iterable_coroutine(function: object) -> bool:
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE)


def _is(kind: Callable[[Any], bool], function: object) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return kind(function) or (callable(function) and kind(type(function).__call__))
