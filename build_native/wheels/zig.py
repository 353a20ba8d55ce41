"""zig as a compiler: a folder of commands for each target, and a toolchain file with which CMake finds them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shlex
from pathlib import Path

from build_native.wheels.targets import Target
from build_native.wheels.tools import BUILD

_FOLDER = BUILD / "zig"
_SDK = Path(__file__).with_name("sdk")
"""Files that zig's own headers and libraries lack."""


def compiler() -> Path:
    """Return the path of the zig that pip installed."""
    package = importlib.util.find_spec("ziglang")
    assert package is not None, "requirements.txt"
    assert package.origin is not None
    return Path(package.origin).with_name("zig")


def write_toolchain(target: Target) -> Path:
    """Write the toolchain file and return its path. Unchanged files are not written: CMake would rebuild all."""
    folder = _FOLDER / target.name
    # -g0: by default zig makes debug information. -O3 and -s also for CMake's trials, since zig compiles its C++
    # library once for each combination of them.
    compile_for = f"-target {target.zig} -g0 -O3 -s"
    commands = {
        "cc": f"cc {compile_for}",
        "c++": f"c++ {compile_for}",
        "ar": "ar",
        "ranlib": "ranlib",
        "rc": "rc",
        "dlltool": "dlltool",
    }
    for name, command in commands.items():
        _write(
            folder / name,
            "#!/bin/sh\n"
            f"export ZIG_GLOBAL_CACHE_DIR={shlex.quote(str(_FOLDER / 'cache'))}\n"
            'export ZIG_LOCAL_CACHE_DIR="$ZIG_GLOBAL_CACHE_DIR"\n'
            f'exec {shlex.quote(str(compiler()))} {command} "$@"\n',
        )
        (folder / name).chmod(0o755)
    toolchain = folder / "toolchain.cmake"
    includes = {"Windows": f"-isystem {_SDK}/windows", "Darwin": f"-isystem {_SDK}/macos/include"}
    links = {"Darwin": f"-F{_SDK}/macos"}
    _write(
        toolchain,
        f"""set(CMAKE_SYSTEM_NAME {target.system})
set(CMAKE_SYSTEM_PROCESSOR {target.processor})
set(CMAKE_C_COMPILER "{folder}/cc")
set(CMAKE_CXX_COMPILER "{folder}/c++")
set(CMAKE_ASM_COMPILER "{folder}/cc")
set(CMAKE_RC_COMPILER "{folder}/rc")
set(CMAKE_AR "{folder}/ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "{folder}/ranlib" CACHE FILEPATH "")
set(CMAKE_DLLTOOL "{folder}/dlltool" CACHE FILEPATH "")
set(CMAKE_C_FLAGS_INIT "{includes.get(target.system, "")}")
set(CMAKE_CXX_FLAGS_INIT "{includes.get(target.system, "")}")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "{links.get(target.system, "")}")
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(GNS_PY_ZIG_TARGET {target.zig})
set(GNS_PY_ZIG_VERSION {importlib.metadata.version("ziglang")})
""",
    )
    return toolchain


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
