"""Write cffi's Python module for gns_core.h, in out-of-line ABI mode: without a compiler or Python's headers.

Usage: generate_ffi.py HEADER OUTPUT. Needs cffi.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cffi


def main() -> None:
    """Run the program."""
    header, output = map(Path, sys.argv[1:])
    builder = cffi.FFI()
    builder.cdef(header.read_text())
    builder.set_source("gns_py._native._ffi", None)
    builder.emit_python_code(str(output))


if __name__ == "__main__":
    main()
