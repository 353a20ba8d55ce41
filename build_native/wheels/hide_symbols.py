"""Marks all that a static library for macOS defines as private to what it is linked into.

    python -m build_native.wheels.hide_symbols LIBRARY

OpenSSL's functions in assembly know no -fvisibility=hidden, and zig's linker takes no list of what to export.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_ARCHIVE, _MEMBER = b"!<arch>\n", 60
_MACH_O_64 = 0xFEEDFACF
_LC_SYMTAB = 2
_STAB, _PRIVATE, _KIND, _DEFINED, _EXTERNAL = 0xE0, 0x10, 0x0E, 0x0E, 0x01


def members(archive: bytearray) -> Iterator[int]:
    """Where the content of each begins."""
    position = len(_ARCHIVE)
    while position < len(archive):
        name = archive[position : position + 16].rstrip()
        size = int(archive[position + 48 : position + 58])
        position += _MEMBER
        # BSD's: a name of so many bytes stands before the content.
        yield position + (int(name[3:]) if name.startswith(b"#1/") else 0)
        position += size + size % 2


def symbols(archive: bytearray, begin: int) -> Iterator[int]:
    """Where each entry of the symbol table of this object file begins; none if it is no object file."""
    if struct.unpack_from("<I", archive, begin)[0] != _MACH_O_64:
        return
    (commands,) = struct.unpack_from("<I", archive, begin + 16)
    position = begin + 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", archive, position)
        if command == _LC_SYMTAB:
            table, count = struct.unpack_from("<II", archive, position + 8)
            yield from range(begin + table, begin + table + 16 * count, 16)
        position += size


def main(path: Path) -> None:
    archive = bytearray(path.read_bytes())
    if not archive.startswith(_ARCHIVE):
        raise SystemExit(f"{path} is no static library")
    for begin in members(archive):
        for symbol in symbols(archive, begin):
            kind = archive[symbol + 4]
            if kind & _EXTERNAL and not kind & _STAB and kind & _KIND == _DEFINED:
                archive[symbol + 4] |= _PRIVATE
    path.write_bytes(archive)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
