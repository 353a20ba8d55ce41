"""What a test can know of the system that it runs on."""

from __future__ import annotations

import ctypes
import sys


def _is_wine() -> bool:
    if sys.platform != "win32":
        return False
    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


IS_WINE = _is_wine()
