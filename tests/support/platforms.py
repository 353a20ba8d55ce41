"""Facts about the system that the tests run on."""

from __future__ import annotations

import socket
import sys

from gns_py import Config

from .deadline import PATIENCE


def _is_wine() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes  # not every Python elsewhere has it

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


IS_WINE = _is_wine()
# Bytes a second, as fast as one machine can take: GNS's default, 256 KiB/s, makes tests slow. Emulators are slower.
RATE = 30_000_000 if PATIENCE == 1 else 1_000_000
# For queues that are to be full: messages are not acknowledged before the sender has filled them.
LATE_ACKS = Config(fake_packet_lag_send=int(50 * PATIENCE))


def text_of_a_taken_port() -> str:
    """Return the system's message for binding a port that another socket has."""
    with socket.socket(type=socket.SOCK_DGRAM) as first, socket.socket(type=socket.SOCK_DGRAM) as second:
        first.bind(("127.0.0.1", 0))
        try:
            second.bind(first.getsockname())
        except OSError as error:
            return error.strerror or str(error)
    raise AssertionError("two sockets have one port")
