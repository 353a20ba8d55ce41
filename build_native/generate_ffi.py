"""Write cffi's Python module for gns_core.h and its continuations.

It is in out-of-line ABI mode: that needs neither a compiler nor Python's headers.

Usage: generate_ffi.py HEADER... OUTPUT. Needs cffi.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cffi


def main() -> None:
    """Run the program."""
    *headers, output = map(Path, sys.argv[1:])
    builder = cffi.FFI()
    for header in headers:
        builder.cdef(header.read_text())
    builder.set_source("gns_py._native._ffi", None)
    builder.emit_python_code(str(output))


if __name__ == "__main__":
    main()
