"""For PyInstaller, which finds this folder by the entry point ``pyinstaller40``: what an application takes along."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Return the folders with PyInstaller's hooks for gns_py."""
    return [str(Path(__file__).parent)]
