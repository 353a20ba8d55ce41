"""Make all symbols of a static library for macOS private to the library that it is linked into.

    python -m build_native.wheels.hide_symbols LIBRARY

-fvisibility=hidden does not affect OpenSSL's functions in assembly, and zig's linker takes no list of exports.
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
    """Yield the offset of each member's content."""
    position = len(_ARCHIVE)
    while position < len(archive):
        name = archive[position : position + 16].rstrip()
        size = int(archive[position + 48 : position + 58])
        position += _MEMBER
        # BSD's format: a name of that many bytes precedes the content.
        yield position + (int(name[3:]) if name.startswith(b"#1/") else 0)
        position += size + size % 2


def symbols(archive: bytearray, begin: int) -> Iterator[int]:
    """Yield the offset of each entry in the symbol table of an object file; nothing for other files."""
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
    """Change a library in place."""
    archive = bytearray(path.read_bytes())
    if not archive.startswith(_ARCHIVE):
        raise SystemExit(f"{path} is not a static library")
    for begin in members(archive):
        for symbol in symbols(archive, begin):
            kind = archive[symbol + 4]
            if kind & _EXTERNAL and not kind & _STAB and kind & _KIND == _DEFINED:
                archive[symbol + 4] |= _PRIVATE
    path.write_bytes(archive)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
