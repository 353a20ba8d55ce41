"""hide_symbols makes symbols of static libraries for macOS private; the libraries are made here byte by byte."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[3]
LOCAL, UNDEFINED, GLOBAL, PRIVATE, DEBUG = 0x0E, 0x01, 0x0F, 0x1F, 0x24


def object_file(kinds: list[int]) -> bytes:
    """Return a Mach-O object with a symbol table and nothing else."""
    header = struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 1, 2, 24 + 16, 0, 0)
    other = struct.pack("<II8x", 0x2A, 16)
    table = struct.pack("<6I", 2, 24, 72, len(kinds), 72 + 16 * len(kinds), 4)
    return header + other + table + b"".join(struct.pack("<IBBHQ", 1, kind, 1, 0, 0) for kind in kinds) + b"\0_a\0"


def member(name: str, content: bytes) -> bytes:
    """Return a member in BSD's format: the padded name precedes the content."""
    named = name.encode().ljust(20, b"\0") + content
    head = f"{'#1/20':<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(named):<10}`\n".encode()
    return head + named + b"\n" * (len(named) % 2)


def hide(library: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build_native.wheels.hide_symbols", str(library)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_what_is_defined_becomes_private_and_nothing_else_changes(tmp_path: Path) -> None:
    def archive(*kinds: list[int]) -> bytes:
        members = [member("__.SYMDEF", b"odd"), *(member("one.o", object_file(each)) for each in kinds)]
        return b"!<arch>\n" + b"".join(members)

    library = tmp_path / "lib.a"
    library.write_bytes(archive([LOCAL, GLOBAL, UNDEFINED], [DEBUG, GLOBAL, PRIVATE, UNDEFINED]))
    done = hide(library)
    assert (done.returncode, done.stderr) == (0, "")
    assert library.read_bytes() == archive([LOCAL, PRIVATE, UNDEFINED], [DEBUG, PRIVATE, PRIVATE, UNDEFINED])


def test_another_file_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "lib.a"
    library.write_bytes(b"ELF")
    done = hide(library)
    assert done.returncode == 1
    assert done.stderr == f"{library} is not a static library\n"
    assert library.read_bytes() == b"ELF"
