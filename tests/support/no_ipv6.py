"""Source for a program on Linux: the code that follows it runs on a kernel without IPv6."""

from __future__ import annotations

import platform
import sys

import pytest

_SOCKET = {"x86_64": 41, "aarch64": 198}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

can_be_without_ipv6 = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in _SOCKET, reason="filters system calls as Linux does"
)

# A seccomp filter: socket(AF_INET6, ...) fails with EAFNOSUPPORT in all threads, as with ipv6.disable=1 at boot.
WITHOUT_IPV6 = f"""
import ctypes, errno, socket, struct
_program = b"".join(
    struct.pack("=HBBI", *each)
    for each in [
        (0x20, 0, 0, 4),                                          # the architecture
        (0x15, 0, 5, {_ARCHITECTURE.get(platform.machine(), 0)}),
        (0x20, 0, 0, 0),                                          # the system call
        (0x15, 0, 3, {_SOCKET.get(platform.machine(), 0)}),
        (0x20, 0, 0, 16),                                         # its first argument
        (0x15, 0, 1, 10),                                         # AF_INET6
        (0x06, 0, 0, 0x00050000 | errno.EAFNOSUPPORT),
        (0x06, 0, 0, 0x7FFF0000),                                 # allowed
    ]
)
_buffer = ctypes.create_string_buffer(_program)
_filter = ctypes.create_string_buffer(struct.pack("@HP", len(_program) // 8, ctypes.addressof(_buffer)))
_libc = ctypes.CDLL(None, use_errno=True)
for _call in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(_filter), 0, 0)):  # NO_NEW_PRIVS, SECCOMP with a filter
    if _libc.prctl(*_call):
        raise OSError(ctypes.get_errno(), "prctl")
try:
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
except OSError as error:
    assert error.errno == errno.EAFNOSUPPORT, error
else:
    raise AssertionError("there is IPv6")
"""
