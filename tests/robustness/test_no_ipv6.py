"""A machine without IPv6: real programs on a kernel that refuses it or has it switched off."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.no_ipv6 import WITHOUT_IPV6, can_be_without_ipv6

Process = subprocess.Popen[str]
LIMIT = 30.0

# In a network namespace of its own: loopback is up, IPv6 is off.
SWITCHED_OFF = """
import fcntl, pathlib, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", 0x41, b""))  # SIOCSIFFLAGS: up and running
for name in ("all", "lo"):
    pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
"""

BODY = """
import asyncio, errno, sys
import gns_py.asyncio as aio
import gns_py.session.sync as session
import gns_py.sync as gns

def echo(connection):
    for data in connection:
        connection.send(data)

def refused(connect, numbers):
    try:
        connect()
    except gns.ConnectTimeout:
        raise AssertionError("it has waited")
    except OSError as error:
        assert error.errno in numbers, error
        assert "::1" in str(error), error
    else:
        raise AssertionError("it is connected")

NONE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
for api in (gns, session):
    with api.serve(echo, "", 0) as server:
        assert server.address.host in HOSTS, server.address
        for host in (server.address.host, "", "0.0.0.0", "127.0.0.1"):
            with api.connect(host, server.address.port, timeout=5.0) as client:
                client.send(b"x")
                assert client.recv(timeout=5.0) == b"x"
    refused(lambda: api.connect("::1", 9), NONE)
    refused(lambda: api.listen("::1", 0), NONE)

async def main():
    async def wait(connection):
        await connection.wait_closed()
    async with aio.serve(wait, "", 0) as server:
        async with aio.connect(*server.address, timeout=5.0) as client:
            assert await client.ping() > 0
    async def connect():
        await aio.connect("::1", 9)
    try:
        await connect()
    except aio.ConnectTimeout:
        raise AssertionError("it has waited")
    except OSError as error:
        assert error.errno in NONE, error
    else:
        raise AssertionError("it is connected")

asyncio.run(main())
first, second = gns.socket_pair(network=True)
with first, second:
    assert first.ping(5.0) > 0
print("done", flush=True)
"""


def finish(process: Process) -> None:
    output, errors = process.communicate(timeout=LIMIT)
    assert (output, process.returncode) == ("done\n", 0), errors


@can_be_without_ipv6
def test_a_kernel_without_ipv6(spawn: Callable[..., Process]) -> None:
    finish(spawn(WITHOUT_IPV6 + "\nHOSTS = ['0.0.0.0']\n" + BODY))


def test_ipv6_switched_off(tmp_path: Path) -> None:
    prefix = ("unshare", "--user", "--map-root-user", "--net")
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], check=False, stderr=-3).returncode:
        pytest.skip("needs network namespaces")
    script = tmp_path / "switched_off.py"
    script.write_text(SWITCHED_OFF + "\nHOSTS = ['0.0.0.0', '::']\n" + BODY)
    process = subprocess.Popen(
        [*prefix, sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    with process:
        finish(process)
