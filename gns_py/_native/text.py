"""Memory and texts of the core."""

from __future__ import annotations

from typing import Any

from .library import ffi

# Like ffi.new(), without filling the memory with zeros.
new_buffer = ffi.new_allocator(should_clear_after_alloc=False)


def text_of(native: Any) -> str:
    return str(ffi.string(native).decode(errors="replace"))
