"""The library itself, and the life cycle of GNS in this process."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InitializationError
from .codes import FORKED
from .failures import check, error
from .library import ffi, lib
from .text import text_of


class BuildInfo(NamedTuple):
    """What the native library is made of."""

    version: str
    gns_version: str
    protobuf_version: str
    crypto: str
    mode: str
    build_type: str
    compiler: str
    platform: str


def build_info() -> BuildInfo:
    """What the native library that is loaded is made of. Any thread, starts nothing."""
    info = lib.gns_build()
    return BuildInfo(*(ffi.string(getattr(info, field)).decode() for field in BuildInfo._fields))


def time_us() -> int:
    return int(lib.gns_time_us())


def start(identity: str) -> bool:
    """Whether this call started it."""
    data = identity.encode()
    result = lib.gns_start(data, len(data))
    if result in (lib.GNS_ERROR_NATIVE, lib.GNS_ERROR_SYSTEM):
        raise InitializationError(*error(result).args)
    return check(result) == 0


def stop(linger_us: int) -> None:
    check(lib.gns_stop(linger_us))


def is_lingering() -> bool:
    """Whether closed connections are still delivering."""
    return bool(lib.gns_lingering() > 0)


def is_running() -> bool:
    return check(lib.gns_running()) == 1


def is_forked() -> bool:
    """Whether this process is a fork of the one that started it."""
    return bool(lib.gns_running() == FORKED)


def identity() -> str:
    out = ffi.new("char[128]")
    check(lib.gns_identity(out))
    return text_of(out)
