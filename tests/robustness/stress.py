"""Every public call from eight threads at once, on shared objects, with stop() in the middle.

Arguments: the number of seconds and a seed. Exits with 0 if calls raised only exceptions of gns_py and TimeoutError,
every call has succeeded at least once, and nothing hangs.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable

import gns_py
import gns_py.sync as gns

THREADS = 8
FAST = gns.Config(send_rate_min=20 << 20, send_rate_max=20 << 20, timeout_initial=2000)


class World:
    """The objects that all threads use at the same time: some are closed at any moment."""

    def __init__(self) -> None:
        self.listeners: list[gns.ListenSocket] = []
        self.servers: list[gns.Server] = []
        self.connections: list[gns.Connection] = []
        self.lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def keep(self, connection: gns.Connection) -> None:
        """Add one; beyond a dozen the oldest is closed."""
        with self.lock:
            self.connections.append(connection)
            old = self.connections.pop(0) if len(self.connections) > 12 else None
        if old is not None:
            old.close(linger=random.random() < 0.5)

    def connection(self) -> gns.Connection:
        with self.lock:
            if self.connections:
                return random.choice(self.connections)
        a, b = gns.socket_pair(network=random.random() < 0.5)
        self.keep(a)
        self.keep(b)
        return a


def echo(connection: gns.Connection) -> None:
    for data in connection:
        connection.send(data)


def listener_calls(world: World) -> dict[str, Callable[[], object]]:
    def listener() -> gns.ListenSocket:
        with world.lock:
            if world.listeners:
                return random.choice(world.listeners)
        fresh = gns.listen("127.0.0.1", 0, config=FAST, limits=None)
        with world.lock:
            world.listeners.append(fresh)
        return fresh

    def server() -> gns.Server:
        with world.lock:
            if world.servers:
                return random.choice(world.servers)
        fresh = gns.serve(echo, "127.0.0.1", 0, config=FAST, limits=None)
        with world.lock:
            world.servers.append(fresh)
        return fresh

    def poll() -> None:
        for event in listener().poll(0.01):
            if isinstance(event, gns.ConnectionRequest):
                if random.random() < 0.2:
                    event.reject(1234, "not today")
                else:
                    event.accept()
            elif isinstance(event, gns.MessageReceived):
                event.connection.send(event.message.data)
            elif isinstance(event, gns.StatusChanged) and event.end:
                event.connection.close()

    def iterate() -> None:
        for request in listener():
            request.accept()
            break

    def configure() -> None:
        listener().set_config(FAST)
        listener().get_config(gns_py.ConfigValue.SEND_RATE_MIN)

    def close() -> None:
        if random.random() < 0.1:
            with world.lock:
                listeners, servers = world.listeners[:1], world.servers[:1]
                del world.listeners[:1], world.servers[:1]
            for listener_ in listeners:
                listener_.close()
            for server_ in servers:
                server_.close()

    return {
        "listener's poll": poll,
        "accept": lambda: world.keep(listener().accept(timeout=0.05)),
        "connect": lambda: world.keep(
            gns.connect(*listener().address, config=FAST, wait=random.random() < 0.3, timeout=0.2)
        ),
        "connect to a server": lambda: world.keep(gns.connect(*server().address, config=FAST)),
        "broadcast": lambda: listener().broadcast(b"to all"),
        "server's broadcast": lambda: server().broadcast(b"to all"),
        "listener's config": configure,
        "connections": lambda: (listener().connections, server().connections, repr(listener()), repr(server())),
        "iteration": iterate,
        "close a listener": close,
    }


def connection_calls(world: World) -> dict[str, Callable[[], object]]:
    it = world.connection

    def configure() -> None:
        it().set_config(FAST)
        it().get_config(gns_py.ConfigValue.NAGLE_TIME)

    def close() -> None:
        if random.random() < 0.2:
            it().close(random.choice([1000, 2000]), "by chance")

    return {
        "send": lambda: it().send(bytes(random.randrange(3000)), reliable=random.random() < 0.7),
        "send_many": lambda: it().send_many([bytes(random.randrange(500)) for _ in range(20)]),
        "recv": lambda: it().recv(timeout=random.choice([0, 0.001, 0.02])),
        "recv_many": lambda: it().recv_many(random.choice([None, 1, 100]), timeout=0.001),
        "poll": lambda: it().poll(0.001),
        "drain": lambda: it().drain(timeout=0.01),
        "wait_closed": lambda: it().wait_closed(timeout=0.001),
        "flush": lambda: it().flush(),
        "state, end": lambda: (it().state, it().end, repr(it())),
        "info": lambda: (it().info(), it().remote_address, it().remote_identity, it().description),
        "stats": lambda: (it().stats(), it().lane_stats(), it().send_queue()),
        "details": lambda: it().details(),
        "name": lambda: setattr(it(), "name", it().name + "x" if len(it().name) < 20 else ""),
        "user_data": lambda: setattr(it(), "user_data", it().user_data + 1),
        "config": configure,
        "lanes": lambda: it().configure_lanes([0, 1, 2, 3]),
        "close": close,
    }


def process_calls() -> dict[str, Callable[[], object]]:
    def configure() -> None:
        gns_py.set_config(gns.Config(nagle_time=random.randrange(5000)))
        gns_py.get_config(gns_py.ConfigValue.NAGLE_TIME)

    return {
        "process's config": configure,
        "running": lambda: (gns_py.is_running(), gns_py.local_identity(), gns_py.time_us()),
        "logs": gns_py.dispatch_logs,
    }


def work(world: World, calls: dict[str, Callable[[], object]], until: float) -> None:
    names = list(calls)
    while time.monotonic() < until:
        name = random.choice(names)
        try:
            calls[name]()
            world.calls[name] += 1
        except (gns_py.GNSError, TimeoutError):
            world.calls[name + ", refused"] += 1
        except Exception:
            world.unexpected.append(f"{name}:\n{traceback.format_exc()}")


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    random.seed(seed)
    sys.setswitchinterval(1e-5)  # as many interleavings as possible
    faulthandler.dump_traceback_later(seconds + 15, exit=True)
    world = World()
    calls = {**listener_calls(world), **connection_calls(world), **process_calls()}
    until = time.monotonic() + seconds
    crew = [threading.Thread(target=work, args=(world, calls, until)) for _ in range(THREADS)]
    for thread in crew:
        thread.start()
    for _ in range(2):
        time.sleep(seconds / 3)
        gns_py.stop(linger=random.choice([0, 0.2]))
    time.sleep(max(0.0, until - time.monotonic()))
    while any(thread.is_alive() for thread in crew):
        # End the waits without a limit, too.
        with world.lock:
            listeners, servers, connections = list(world.listeners), list(world.servers), list(world.connections)
        for listener in listeners:
            listener.close()
        for server in servers:
            server.close()
        for connection in connections:
            connection.close()
        time.sleep(0.05)
    gns_py.reset_config(gns_py.ConfigValue.NAGLE_TIME)
    a, b = gns.socket_pair(network=True)
    with a, b:
        a.send(b"after all")
        assert b.recv(timeout=5) == b"after all"
    gns_py.stop(linger=0)
    seldom = [name for name in calls if not world.calls[name]]
    print("\n".join(world.unexpected) or f"{sum(world.calls.values())} calls; never successful: {seldom}")
    sys.exit(bool(world.unexpected) or bool(seldom))


if __name__ == "__main__":
    main()
