"""What a test can know of the system that it runs on."""

from __future__ import annotations

import sys


def _is_wine() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes  # not every Python elsewhere has it

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


IS_WINE = _is_wine()
