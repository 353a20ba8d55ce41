"""Exception groups: Python's own, or in 3.10 those of the package exceptiongroup, which pytest brings along there."""

from __future__ import annotations

import asyncio
import builtins
import importlib
from typing import Any

_module: Any = builtins if hasattr(builtins, "ExceptionGroup") else importlib.import_module("exceptiongroup")
# Any, since type checkers take the sources for those of Python 3.10.
ExceptionGroup: Any = _module.ExceptionGroup
BaseExceptionGroup: Any = _module.BaseExceptionGroup
TaskGroup: Any = getattr(asyncio, "TaskGroup", None)
