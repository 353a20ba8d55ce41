"""The system has no descriptor or thread left: an OSError says so, nothing is left behind, and later calls succeed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest
from support import PATIENCE, Api, Peer, eventually, open_descriptors

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no limits to reach")

HEAD = """
        import asyncio, errno, logging, os, pickle, resource, sys
        import gns_py, gns_py.asyncio, gns_py.sync
        logging.getLogger("gns_py").addHandler(logging.NullHandler())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

        def descriptors():
            return len(os.listdir("/dev/fd"))

        def left(number):
            # So many more descriptors, and no more.
            taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(number)]
            top = os.open(os.devnull, os.O_RDONLY)
            for each in (*taken, top):
                os.close(each)
            resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))

        def told(error):
            again = pickle.loads(pickle.dumps(error))
            assert isinstance(error, OSError), repr(error)
            for each in (error, again):
                assert each.errno == errno.EMFILE, repr(error)
                assert os.strerror(errno.EMFILE) in each.strerror and "Errno" in str(each)
            return type(error).__name__

        def echo(connection):
            for data in connection:
                connection.send(data)

        async def echo_async(connection):
            async for data in connection:
                connection.send(data)
"""


def test_starting_without_descriptors_leaves_nothing_half_started(peer: Callable[..., Peer]) -> None:
    child = peer(
        HEAD
        + """
        gns_py.start()
        gns_py.stop()
        before = descriptors()
        number = 0
        while not gns_py.is_running():
            left(number)
            try:
                gns_py.start()
            except gns_py.InitializationError as error:
                assert told(error) == "InitializationError" and isinstance(error, RuntimeError)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                assert descriptors() == before, (number, descriptors(), before)
            number += 1
        print(number > 1)
        gns_py.stop()
        """
    )
    assert child.line() == "True"
    assert child.wait() == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how much memory is used is told by /proc")
def test_starting_without_a_thread_leaves_nothing_half_started(peer: Callable[..., Peer]) -> None:
    child = peer(
        """
        import errno, resource, subprocess, sys
        # A thread's stack is as large as the program's may be: larger than what is left.
        if len(sys.argv) == 1:
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 30, resource.getrlimit(resource.RLIMIT_STACK)[1]))
            sys.exit(subprocess.run([sys.executable, "-u", __file__, "again"]).returncode)
        import threading
        import gns_py, gns_py.sync
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20), hard))
        for _ in range(3):
            try:
                gns_py.start()
            except gns_py.InitializationError as error:
                assert isinstance(error, OSError) and error.errno == errno.EAGAIN, repr(error)
                assert not gns_py.is_running()
            else:
                print("started")
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        with gns_py.sync.serve(lambda c: [c.send(data) for data in c], "127.0.0.1", 0) as server:
            with gns_py.sync.connect(*server.address) as client:
                client.send(b"works")
                print(client.recv(timeout=10))
        """
    )
    assert child.line(timeout=30.0) == "b'works'"
    assert child.wait() == 0


CALLS = {
    "sync.connect": "gns_py.sync.connect('127.0.0.1', server.address.port)",
    "sync.listen": "gns_py.sync.listen('127.0.0.1', 0)",
    "sync.listen on a port": "gns_py.sync.listen('127.0.0.1', port)",
    "sync.serve": "gns_py.sync.serve(echo, '127.0.0.1', 0)",
    "asyncio.connect": "run(gns_py.asyncio.connect('127.0.0.1', server.address.port))",
    "asyncio.listen": "run(gns_py.asyncio.listen('127.0.0.1', 0))",
    "asyncio.serve": "run(gns_py.asyncio.serve(echo_async, '127.0.0.1', 0))",
}


@pytest.mark.parametrize("call", CALLS)
def test_without_descriptors_each_call_says_so_and_leaves_none_behind(peer: Callable[..., Peer], call: str) -> None:
    child = peer(
        HEAD
        + f"""
        loop = asyncio.new_event_loop()

        def run(opening):
            async def opened():
                return await opening
            return loop.run_until_complete(opened())

        with gns_py.sync.serve(echo, "127.0.0.1", 0) as server, gns_py.sync.listen("127.0.0.1", 0) as other:
            port = other.address.port
            other.close()
            client = gns_py.sync.connect(*server.address)
            before = descriptors()
            number = 0
            while True:
                left(number)
                try:
                    opened = {CALLS[call]}
                    break
                except OSError as error:
                    name = told(error)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                assert descriptors() == before, (number, descriptors(), before)
                number += 1
            print(name)
            client.send(b"goes on")
            print(client.recv(timeout=10))
            os._exit(0)
        """
    )
    names = {"ListenError"} if "listen" in call or "serve" in call else set()
    assert child.line() in names | {"SocketError"}
    assert child.line() == "b'goes on'"
    assert child.wait() == 0


def test_async_for_outlasts_a_time_without_descriptors(peer: Callable[..., Peer]) -> None:
    child = peer(
        HEAD
        + """
        from gns_py.asyncio import client
        client._FIRST_PAUSE = 0.02

        async def main():
            rounds = 0
            async for connection in gns_py.asyncio.connect(*server.address):
                connection.send(b"x")
                print(await connection.recv())
                rounds += 1
                if rounds == 2:
                    return
                left(0)
                asyncio.get_running_loop().call_later(0.5, resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

        with gns_py.sync.serve(echo, "127.0.0.1", 0) as server:
            asyncio.run(asyncio.wait_for(main(), 20))
        """
    )
    assert [child.line(), child.line()] == ["b'x'"] * 2
    assert child.wait() == 0


def test_closed_connections_give_way_to_a_call_that_needs_a_descriptor(peer: Callable[..., Peer]) -> None:
    # The peer is stopped: it never answers the goodbyes, which GNS waits for.
    with peer(
        """
        import gns_py.sync
        with gns_py.sync.serve(lambda c: c.recv(), "127.0.0.1", 0, limits=None) as server:
            print(server.address.port)
            server.wait_closed()
        """
    ) as server:
        port = int(server.line())
        child = peer(
            HEAD
            + """
        port = int(sys.argv[1])
        clients = [gns_py.sync.connect("127.0.0.1", port) for _ in range(20)]
        print("connected")
        input()
        left(0)
        for client in clients:
            client.close(linger=False)
        more = [gns_py.sync.connect("127.0.0.1", port, wait=False) for _ in clients]
        try:
            gns_py.sync.connect("127.0.0.1", port, wait=False)
        except gns_py.SocketError as error:
            print(told(error))
        for client in more:
            client.close(linger=False)
        """,
            port,
        )
        assert child.line() == "connected"
        server.process.send_signal(signal.SIGSTOP)
        child.say("")
        assert child.line() == "SocketError"
        assert child.wait() == 0


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_closed_connection_gives_its_descriptor_back(api: Api, who: str) -> None:
    with api.listen("127.0.0.1", 0) as listener:
        before = open_descriptors()
        client = api.connect("127.0.0.1", listener.address.port, wait=False)
        server = listener.accept(timeout=5.0 * PATIENCE)
        (client if who == "client" else server).close(linger=False)
        (server if who == "client" else client).wait_closed(timeout=5.0 * PATIENCE)
        client.close()
        # GNS keeps it for 5 s: with its port free at once, the peer could take the next connection for this one.
        eventually(lambda: open_descriptors() <= before, 8.0, "its descriptor is given back")
