"""Load the native library, and refuse one that does not match this package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

try:
    from ._ffi import ffi
except ModuleNotFoundError as error:
    raise ImportError(
        "this gns_py is not built: install it with pip, or run Python outside of the folder with its sources",
        name=__name__,
    ) from error

__all__ = ["PATH", "ffi", "lib"]

_NAMES = {"win32": "gns_core.dll", "darwin": "libgns_core.dylib"}
PATH = Path(__file__).parent / _NAMES.get(sys.platform, "libgns_core.so")


def load() -> Any:
    """Load the library of this package."""
    try:
        return ffi.dlopen(str(PATH))
    except OSError as error:
        raise ImportError(
            f"gns_py's native library cannot be loaded: {error}", name=__name__, path=str(PATH)
        ) from error


def check_layout(library: Any) -> None:
    """Compare the core's own table of sizes and offsets with cffi's."""
    count = ffi.new("int32_t *")
    table = library.gns_layout(count)
    for entry in ffi.unpack(table, count[0]):
        struct = ffi.string(entry.struct_name).decode()
        field = ffi.string(entry.field).decode()
        if field:
            members = dict(ffi.typeof(struct).fields)
            ours = (members[field].offset, ffi.sizeof(members[field].type)) if field in members else None
        else:
            ours = (ffi.alignof(struct), ffi.sizeof(struct))
        if ours != (entry.offset, entry.size):
            raise ImportError(
                f"gns_py's native library does not fit the package: {struct}{'.' * bool(field)}{field} has offset and "
                f"size {(entry.offset, entry.size)} there, {ours} here. Reinstall gns_py.",
                name=__name__,
            )


lib: Any = load()
check_layout(lib)
