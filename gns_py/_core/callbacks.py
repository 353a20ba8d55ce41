"""Functions that a program gives to be called: which ones can be, and how they are."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_NOTHING = object()


class NeverRunError(TypeError):
    """A callback has returned a coroutine, or a generator: its body does not run by being called."""


def is_coroutine_function(function: object) -> bool:
    """Also for a functools.partial of one, and for an object whose ``__call__`` is one."""
    return _is(inspect.iscoroutinefunction, function)


def check_plain(name: str, function: object) -> None:
    """Whether it can be called where nobody awaits, None included. Errors: TypeError."""
    if function is None:
        return
    _check_callable(name, function)
    if is_coroutine_function(function):
        raise TypeError(f"{name} must be a plain function, not a coroutine function: nothing would await it")
    _check_no_generator(name, function)


def check_handler(function: object) -> None:
    """Whether it can be awaited when it has been called. Errors: TypeError.

    A plain function may return something to await: then its annotation says so, or it wraps a coroutine function.
    """
    _check_callable("handler", function)
    _check_no_generator("handler", function)
    if is_coroutine_function(function) or not (inspect.isfunction(function) or inspect.ismethod(function)):
        return
    if is_coroutine_function(inspect.unwrap(function)):
        return
    if function.__annotations__.get("return") in (None, "None"):
        raise TypeError(
            "handler must be a coroutine function (async def); if it is a plain one that returns something to await, "
            "annotate it with what it returns"
        )


def in_context(name: str, function: Callable[[T], R]) -> Callable[[T], R]:
    """The function, to be called in the context (contextvars) of this call: each time in a copy of it.

    NeverRunError where it returns what does nothing by itself.
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
    """Calls and awaits it. Errors: TypeError (it returned nothing to await), and its own."""
    answer = handler(argument)
    if not inspect.isawaitable(answer):
        raise TypeError(f"handler must be a coroutine function (async def): {handler!r} returned {answer!r}")
    await answer


def _check_callable(name: str, function: object) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def _check_no_generator(name: str, function: object) -> None:
    # Not a generator that types.coroutine() has made awaitable.
    is_generator = _is(inspect.isgeneratorfunction, function) and not _is(_is_iterable_coroutine, function)
    if is_generator or _is(inspect.isasyncgenfunction, function):
        raise TypeError(f"{name} must not be a generator function: its body would never run")


def _is_iterable_coroutine(function: object) -> bool:
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE)


def _is(kind: Callable[[Any], bool], function: object) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return kind(function) or (callable(function) and kind(type(function).__call__))
