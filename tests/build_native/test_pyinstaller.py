"""Applications made by PyInstaller, as a folder and as one file, contain gns_py with its native library."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from support import PATIENCE

import gns_py
from gns_py._pyinstaller import get_hook_dirs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(importlib.util.find_spec("PyInstaller") is None, reason="PyInstaller is not installed"),
]

# If gns_py runs from its folder, it has no entry points, and the hooks must be named.
INSTALLED = any(each.value.startswith("gns_py.") for each in entry_points(group="pyinstaller40"))
GAME = """
import asyncio
import sys
import gns_py.asyncio
import gns_py.session.asyncio
import gns_py.session.sync
import gns_py.sync as gns

def echo(connection):
    for data in connection:
        connection.send(data)

async def greet(connection):
    async for data in connection:
        connection.send(data)

async def main():
    async with gns_py.asyncio.serve(greet, "127.0.0.1", 0) as server:
        async with gns_py.asyncio.connect(*server.address) as client:
            client.send(b"asyncio")
            print((await client.recv()).decode())

assert sys.frozen
with gns.serve(echo, "127.0.0.1", 0) as server, gns.connect(*server.address) as client:
    client.send(b"sync")
    print(client.recv(timeout=5.0).decode())
asyncio.run(main())
print(gns_py.build_info().gns_version)
"""
# One analysis for both forms, as it takes most of the time.
SPEC = """
analysis = Analysis(["game.py"], hookspath={hooks!r})
modules = PYZ(analysis.pure)
EXE(modules, analysis.scripts, analysis.binaries, analysis.datas, name="one-file")
in_folder = EXE(modules, analysis.scripts, exclude_binaries=True, name="game")
COLLECT(in_folder, analysis.binaries, analysis.datas, name="one-folder")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the application in both forms, and return the folder with both."""
    folder = tmp_path_factory.mktemp("pyinstaller")
    (folder / "game.py").write_text(GAME)
    (folder / "game.spec").write_text(SPEC.format(hooks=[] if INSTALLED else get_hook_dirs()))
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "game.spec"]
    result = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240 * PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder / "dist"


@pytest.mark.parametrize("form", ["one-folder/game", "one-file"])
def test_the_application_runs(built: Path, form: str) -> None:
    program = built / (form + ".exe" if sys.platform == "win32" else form)
    result = subprocess.run([program], cwd=built, capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
    assert (result.stdout.split(), result.stderr) == (["sync", "asyncio", gns_py.build_info().gns_version], "")
    assert result.returncode == 0
