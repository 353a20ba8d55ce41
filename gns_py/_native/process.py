"""The native library, and the life cycle of GNS in this process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import InitializationError
from .codes import FORKED
from .failures import check, exception_for
from .library import PATH, ffi, lib
from .text import text_of


class BuildInfo(NamedTuple):
    """The versions that the native library is built from."""

    version: str
    """The version of gns_py."""
    gns_version: str
    protobuf_version: str
    crypto: str
    """The name and version of the crypto library."""
    mode: str
    """``vendored`` or ``system``."""
    build_type: str
    compiler: str
    platform: str
    """The system and processor that it was built for."""

    @property
    def library(self) -> Path:
        """The file of the native library."""
        return PATH


def build_info() -> BuildInfo:
    """Return the versions that the loaded native library is built from.

    Starts nothing. May be called from any thread.
    """
    info = lib.gns_build()
    return BuildInfo(*(ffi.string(getattr(info, field)).decode() for field in BuildInfo._fields))


def time_us() -> int:
    """Return the time of GNS's clock in microseconds."""
    return int(lib.gns_time_us())


def start(identity: str) -> bool:
    """Start GNS and the pump. Return whether this call started them."""
    data = identity.encode()
    result = lib.gns_start(data, len(data))
    if result in (lib.GNS_ERROR_NATIVE, lib.GNS_ERROR_SYSTEM):
        raise InitializationError(*exception_for(result).args)
    return check(result) == 0


def stop(linger_us: int) -> None:
    """Stop the pump and GNS, after waiting for closed connections to deliver what they still have."""
    check(lib.gns_stop(linger_us))


def is_lingering() -> bool:
    """Return whether closed connections are still delivering."""
    return bool(lib.gns_lingering() > 0)


def is_running() -> bool:
    """Return whether GNS runs. Raises ForkedError in a forked child."""
    return check(lib.gns_running()) == 1


def is_forked() -> bool:
    """Return whether this process is a fork of the one that started GNS."""
    return bool(lib.gns_running() == FORKED)


def identity() -> str:
    """Return the identity of this process as text."""
    out = ffi.new("char[128]")
    check(lib.gns_identity(out))
    return text_of(out)
