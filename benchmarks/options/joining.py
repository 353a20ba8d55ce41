"""A server that many players join at once, by option."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection as Pipe

import psutil
from options.harness import CHUNK, MIB, READER, Row, apart, at, listening, percentile, process, table

import gns_py.sync as gns
from gns_py import Config

TICK = 1 / 30
WORLD = [CHUNK] * 8


def players(pipe: Pipe, port: int, count: int) -> None:
    """Run `count` clients in one thread: each receives the world, and sends 64 B thirty times a second."""
    config = READER | Config(timeout_connected=60_000)
    clients = [gns.connect("127.0.0.1", port, config=config, wait=False) for _ in range(count)]
    bulk = dict.fromkeys(clients, 0)
    times: list[float] = []
    begin = next_tick = time.monotonic()
    while not pipe.poll():
        for client in clients:
            for event in client.poll():
                if isinstance(event, gns.MessageReceived) and event.message.reliable:
                    bulk[client] += len(event.message.data)
                    if bulk[client] == len(WORLD) * len(CHUNK):
                        times.append(time.monotonic() - begin)
            if client.state is gns.ConnectionState.CONNECTED:
                with suppress(gns.SendQueueFull):
                    client.send(bytes(64), reliable=False)
        next_tick += TICK
        time.sleep(max(0.0, next_tick - time.monotonic()))
    pipe.send(times)
    for client in clients:
        client.close(linger=False)


def serve_players(config: Config, count: int, seconds: float) -> Row:
    """Serve players that join at once, and return a row of times, CPU and memory."""
    me = psutil.Process()
    memory = me.memory_info().rss
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        pipes = [stack.enter_context(process(players, listener.address.port, count // 2))[0] for _ in range(2)]
        late: list[float] = []
        cpu = 0.0
        peak = 0
        joined = 0
        next_tick = time.monotonic()
        end = next_tick + 60.0
        while time.monotonic() < end:
            while (wait := next_tick - time.monotonic()) > 0:
                for event in listener.poll(wait):
                    if isinstance(event, gns.ConnectionRequest):
                        event.accept()
                        event.connection.send_many(WORLD)
                        joined += 1
                        if joined == count:
                            end, cpu = time.monotonic() + seconds, sum(me.cpu_times()[:2])
            late.append(time.monotonic() - next_tick)
            listener.broadcast(bytes(200), reliable=False)
            peak = max(peak, me.memory_info().rss)
            next_tick += TICK
        cpu = sum(me.cpu_times()[:2]) - cpu
        times: list[float] = []
        for pipe in pipes:
            pipe.send("enough")
            times += pipe.recv()
    return [
        f"{len(times)} of {count}",
        f"{percentile(times, 0.5):.2f} s",
        f"{percentile(times, 1.0):.2f} s",
        f"{1000 * percentile(late, 0.99):.1f} ms",
        f"{100 * cpu / seconds:.0f} %",
        f"{(peak - memory) / count / 1024:.0f} KiB",
    ]


def server(quick: bool) -> None:
    """Measure a server, by option."""
    count, seconds = (60, 2.0) if quick else (300, 8.0)
    kib = len(WORLD) * len(CHUNK) // 1024
    configs = {f"{rate} kB/s": at(rate * 1000, send_buffer_size=MIB) for rate in (128, 256, 512, 1024, 4096)}
    configs |= {"Config()": Config(), "Config.server()": Config.server()}
    table(
        f"Server: {count} players join at once, {kib} KiB for each; 30 ticks a second, 200 B out, 64 B in",
        "config,got it all,median,last,tick late p99,CPU of a core,memory per player",
        ([name, *apart(serve_players, config, count, seconds)] for name, config in configs.items()),
    )
