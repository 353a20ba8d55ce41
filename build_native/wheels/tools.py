"""The tools for wheels, in a virtual environment below build/."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "wheels"
DIST = ROOT / "dist"
_FOLDER = BUILD / "tools"
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_PYTHON = _FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def are_running() -> bool:
    """Return whether this Python is that of the tools."""
    return Path(sys.prefix) == _FOLDER


def install() -> None:
    """Make the environment, unless requirements.txt has not changed since."""
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    stamp = _FOLDER / "requirements.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"Installing the tools into {_FOLDER.relative_to(ROOT)}", flush=True)
    venv.create(_FOLDER, clear=True, with_pip=True)
    pip = [str(_PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--requirement", str(_REQUIREMENTS)], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def rerun() -> NoReturn:
    """Run this command again with the Python of the tools, and exit with its exit code."""
    command = [str(_PYTHON), "-m", "build_native.wheels", *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment()).returncode)


def environment() -> dict[str, str]:
    """Return this process's environment with the tools first in PATH."""
    return {**os.environ, "PATH": f"{_PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
