"""Memory and texts for the core."""

from __future__ import annotations

from typing import Any

from .library import ffi

# Like ffi.new(), but leaves the memory uninitialised.
new_buffer = ffi.new_allocator(should_clear_after_alloc=False)


def text_of(native: Any) -> str:
    """Return a terminated text of the core as a str."""
    return str(ffi.string(native).decode(errors="replace"))
