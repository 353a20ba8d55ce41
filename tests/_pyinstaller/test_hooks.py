"""The files that PyInstaller finds; tests/build_native/test_pyinstaller.py packs whole applications."""

from __future__ import annotations

from pathlib import Path

from gns_py._pyinstaller import get_hook_dirs


def test_the_hook_is_in_the_folder_that_the_entry_point_names() -> None:
    (folder,) = get_hook_dirs()
    assert (Path(folder) / "hook-gns_py.py").is_file()
