"""PyInstaller's hook: it adds the native library to applications. Found by the entry point ``pyinstaller40``."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Return the folders with PyInstaller's hooks for gns_py."""
    return [str(Path(__file__).parent)]
