"""What the values of Config.lan(), .internet() and .server() do, beside others; docs/presets.md has the results.

Usage: python benchmarks/presets.py [--quick] [lan | internet | stall | nagle | timeouts | server | memory]...

Needs gns_py and psutil installed, and two free cores. Networks are simulated by gns_py.sim; each end of a connection is
in a process of its own, so that each direction has a bandwidth of its own. What exceeds it is thrown away, but for a
burst: a link with a small buffer.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import re
import signal
import statistics
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from typing import Any

import psutil

import gns_py.sync as gns
from gns_py import Config, SendQueue
from gns_py.sim import Network

MIB = 1 << 20
MBIT = 125_000
CHUNK = bytes(16384)
SMALL, BULK = 0, 1  # lanes: small messages go before bulk
STAMP = struct.Struct("d")
# A reader that is never too slow, so that only the sender's options count.
READER = Config(recv_queue_bytes=1 << 29, recv_queue_messages=1 << 22)
Row = list[str]

# Overruns are the subject here: GNS has a warning for each packet.
logging.getLogger("gns_py.native").setLevel(logging.ERROR)


def table(title: str, columns: str, rows: Iterable[Row]) -> None:
    print(f"\n{title}\n\n| {columns.replace(',', ' | ')} |\n|{'---|' * (columns.count(',') + 1)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def at(rate: int, *, send_buffer_size: int = 8 * MIB, max_unacked_segments: int = 16384) -> Config:
    """A send rate in bytes/s; unless told otherwise with room for all that is on its way."""
    return Config(
        send_rate_min=rate,
        send_rate_max=rate,
        send_buffer_size=send_buffer_size,
        max_unacked_segments=max_unacked_segments,
    )


@contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[tuple[Pipe, int]]:
    """A function in a process of its own, killed at the end: a pipe to it, and its number."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    child.start()
    try:
        yield ours, child.pid or 0
    finally:
        child.kill()
        child.join()


@contextmanager
def listening(config: Config) -> Iterator[gns.ListenSocket]:
    """A listen socket, whose connections leave no traffic behind that the next measurement would see."""
    listener = gns.listen("127.0.0.1", 0, config=config)
    try:
        yield listener
    finally:
        listener.close(linger=False)


def presets() -> dict[str, Config]:
    return {
        "Config()": Config(),
        "Config.lan()": Config.lan(),
        "Config.internet()": Config.internet(),
        "Config.server()": Config.server(),
    }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


# ---- one connection, a large transfer with small messages beside it --------------------------------------------------


def receive(pipe: Pipe, port: int, config: Config, network: Network, volume: int) -> None:
    """Reads until the volume is there, then tells when that was and what the small messages took."""
    latencies: dict[bool, list[float]] = {True: [], False: []}
    with network, gns.connect("127.0.0.1", port, config=config | READER) as connection:
        bulk = 0
        while bulk < volume:
            for message in connection.recv_many(timeout=60.0):
                if message.lane == BULK:
                    bulk += len(message.data)
                else:
                    latencies[message.reliable].append(time.monotonic() - STAMP.unpack(message.data)[0])
        pipe.send((time.monotonic(), latencies))
        with suppress(gns.ConnectionClosed):
            connection.recv()


def totals(connection: gns.Connection) -> tuple[int, int]:
    """Packets and bytes that it has sent, which GNS tells in its text only."""
    match = re.search(r"Totals\s+Sent:\s+([\d,]+) pkts\s+([\d,]+) bytes", connection.details())
    assert match
    return int(match[1].replace(",", "")), int(match[2].replace(",", ""))


def transfer(config: Config, there: Network, back: Network, volume: int) -> dict[str, float]:
    """Sends the volume in 16 KiB messages, and every 10 ms a small reliable and a small unreliable one before it."""
    with ExitStack() as stack:
        stack.enter_context(there)
        listener = stack.enter_context(listening(config))
        pipe, _ = stack.enter_context(process(receive, listener.address.port, config, back, volume))
        connection = stack.enter_context(listener.accept(20.0))
        connection.configure_lanes([0, 1])
        left = volume
        smalls = 0
        begin = time.monotonic()
        while not pipe.poll(0.0005):
            now = time.monotonic()
            if now >= begin + smalls * 0.01:
                smalls += 1
                with suppress(gns.SendQueueFull):
                    connection.send(STAMP.pack(now), lane=SMALL, nagle=False)
                with suppress(gns.SendQueueFull):
                    connection.send(STAMP.pack(now), lane=SMALL, nagle=False, reliable=False)
            with suppress(gns.SendQueueFull):
                while left > 0 and has_room(connection.send_queue()):
                    connection.send(CHUNK, lane=BULK)
                    left -= len(CHUNK)
            if now > begin + 60:
                return {"seconds": float("inf")}
        end, latencies = pipe.recv()
        line = next(
            line for line in connection.details().splitlines() if line.strip().startswith("Sent:") and "pkts " in line
        )
        sent = int(line.rsplit("pkts", 1)[1].split()[0].replace(",", ""))
        return {
            "seconds": end - begin,
            "rate": volume / (end - begin),
            "p50": 1000 * percentile(latencies[True], 0.5),
            "p99": 1000 * percentile(latencies[True], 0.99),
            "lost": 100 * (1 - len(latencies[False]) / max(1, smalls)),
            "overhead": 100 * (sent / volume - 1),
        }


def has_room(queue: SendQueue) -> bool:
    """As drain() sees it: less than half of each bound is in use, so that small messages always have room."""
    return queue.bytes < queue.max_bytes // 2 and queue.segments < queue.max_segments // 2


def transfers(configs: dict[str, Config], there: Network, back: Network, volume: int, runs: int) -> Iterator[Row]:
    for name, config in configs.items():
        results = [transfer(config, there, back, volume) for _ in range(runs)]
        if any(result["seconds"] == float("inf") for result in results):
            yield [name, "not within 60 s", *[""] * 5]
            continue
        median = {key: statistics.median(result[key] for result in results) for key in results[0]}
        yield [
            name,
            f"{median['seconds']:.2f} s",
            f"{median['rate'] / 1e6:.2f} MB/s",
            f"{median['p50']:.1f} ms",
            f"{median['p99']:.1f} ms",
            f"{median['lost']:.1f} %",
            f"{median['overhead']:.0f} %",
        ]


TRANSFER_COLUMNS = "config,time,goodput,small p50,small p99,small unreliable lost,sent beyond payload"


def compare(title: str, configs: dict[str, Config], link: Network, volume: int, runs: int) -> None:
    table(f"{title} ({volume // MIB} MiB)", TRANSFER_COLUMNS, transfers(configs, link, link, volume, runs))


def lan(quick: bool) -> None:
    volume, runs = (8 * MIB, 1) if quick else (32 * MIB, 3)
    loopback = Network()
    rates = {f"{rate} MB/s": at(rate * 1_000_000) for rate in (5, 10, 20, 30, 40, 60, 100)}
    compare("LAN, by send rate", rates, loopback, volume, runs)
    buffers = {f"{mib} MiB": at(20_000_000, send_buffer_size=int(mib * MIB)) for mib in (0.5, 1, 2, 4, 8)}
    compare("LAN, 20 MB/s, by send_buffer_size", buffers, loopback, volume, runs)
    segments = {str(count): at(20_000_000, max_unacked_segments=count) for count in (1024, 2048, 4096, 16384)}
    compare("LAN, 20 MB/s, by max_unacked_segments", segments, loopback, volume, runs)
    compare("LAN, presets", {"Config()": Config(), "Config.lan()": Config.lan()}, loopback, volume // 8, runs)


LINKS = {
    "10 Mbit/s, 20 ms, 1 %": Network(lag=10, jitter=2, loss=1, rate=10 * MBIT, burst=32768),
    "10 Mbit/s, 100 ms, 2 %": Network(lag=50, jitter=5, loss=2, rate=10 * MBIT, burst=32768),
    "50 Mbit/s, 50 ms, 1 %": Network(lag=25, jitter=2, loss=1, rate=50 * MBIT, burst=65536),
}


def internet(quick: bool) -> None:
    volume, runs = (MIB, 1) if quick else (2 * MIB, 3)
    rates = {f"{rate} kB/s": at(rate * 1000) for rate in (256, 512, 768, 1000, 1250, 1600, 2500, 5000)}
    presets = {"Config()": Config(), "Config.internet()": Config.internet()}
    for name, link in LINKS.items():
        compare(f"Internet, {name}, by send rate", rates | presets, link, volume, runs)
    buffers = {f"{kib} KiB": at(512_000, send_buffer_size=kib * 1024) for kib in (64, 128, 256, 512, 1024)}
    name, link = list(LINKS.items())[1]
    compare(f"Internet, {name}, 512 kB/s, by send_buffer_size", buffers, link, volume, runs)


# ---- a peer that does not acknowledge: how long GNS's search for what to send again holds up everybody else ----------


def read(_: Pipe, port: int) -> None:
    with gns.connect("127.0.0.1", port, config=READER) as connection, suppress(gns.ConnectionClosed):
        while True:
            connection.recv_many()


def echo(_: Pipe, port: int) -> None:
    with gns.connect("127.0.0.1", port) as connection, suppress(gns.ConnectionClosed):
        while True:
            connection.send(connection.recv(), nagle=False)


def longest_round_trip(config: Config, size: int, seconds: float) -> tuple[float, int]:
    """The longest round trip of one connection while another one's peer is stopped, with its queue full, in seconds."""
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        _, number = stack.enter_context(process(read, listener.address.port))
        silent = stack.enter_context(listener.accept(20.0))
        other = stack.enter_context(listening(Config()))
        stack.enter_context(process(echo, other.address.port))
        lively = stack.enter_context(other.accept(20.0))
        lively.send(b"warm up", nagle=False)
        lively.recv(20.0)
        os.kill(number, signal.SIGSTOP)
        batch = [bytes(size)] * 256
        longest, queued = 0.0, 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(gns.SendQueueFull):
                while True:
                    silent.send_many(batch)
            queued = max(queued, silent.send_queue().messages)
            begin = time.monotonic()
            lively.send(b"ping", nagle=False)
            lively.recv(20.0)
            longest = max(longest, time.monotonic() - begin)
        silent.close(linger=False)
        return longest, queued


def stalls(configs: dict[str, Config], seconds: float, runs: int) -> Iterator[Row]:
    for name, config in configs.items():
        row = [name]
        for size in (32, 1200):
            results = [longest_round_trip(config, size, seconds) for _ in range(runs)]
            row += [f"{results[0][1]}", f"{1000 * statistics.median(result[0] for result in results):.0f} ms"]
        yield row


def stall(quick: bool) -> None:
    seconds, runs = (2.0, 1) if quick else (4.0, 3)
    patient = Config(timeout_connected=60_000)
    columns = "config,32 B messages queued,longest round trip beside,1200 B messages queued,longest round trip beside"
    for rate in (512_000, 20_000_000, 100_000_000):
        configs = {str(count): at(rate, max_unacked_segments=count) | patient for count in (2048, 4096, 16384)}
        title = f"Stall: {rate / 1e6:.1f} MB/s to a peer that is stopped, by max_unacked_segments"
        table(title, columns, stalls(configs, seconds, runs))
    configs = {name: config | patient for name, config in presets().items()}
    table("Stall: presets", columns, stalls(configs, seconds, runs))


# ---- small settings --------------------------------------------------------------------------------------------------


def small_messages(config: Config) -> Row:
    """A small message each 2 ms: when it arrives, and what that costs."""
    count = 1000
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        pipe, _ = stack.enter_context(process(collect, listener.address.port, count))
        connection = stack.enter_context(listener.accept(20.0))
        cpu = time.process_time()
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + 0.002 * number - time.monotonic()))
            connection.send(STAMP.pack(time.monotonic()))
        latencies = pipe.recv()
        cpu = time.process_time() - cpu
        packets = totals(connection)[0]
    return [
        f"{1000 * percentile(latencies, 0.5):.1f} ms",
        f"{1000 * percentile(latencies, 0.99):.1f} ms",
        f"{packets / count:.2f}",
        f"{1e6 * cpu / count:.0f} us",
    ]


def collect(pipe: Pipe, port: int, count: int) -> None:
    latencies = []
    with gns.connect("127.0.0.1", port) as connection:
        for _ in range(count):
            data = connection.recv(20.0)
            latencies.append(time.monotonic() - STAMP.unpack(data)[0])
        pipe.send(latencies)
        pipe.poll(20.0)


def nagle(_: bool) -> None:
    times = (0, 500, 1000, 2000, 5000, 10000)
    table(
        "Nagle: a small message each 2 ms over loopback, by nagle_time",
        "nagle_time,latency p50,p99,packets per message,CPU of the sender per message",
        ([f"{microseconds} us", *small_messages(Config(nagle_time=microseconds))] for microseconds in times),
    )


def silence(config: Config, sending: bool) -> float:
    """Seconds until a peer that has vanished is noticed."""
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        _, number = stack.enter_context(process(read, listener.address.port))
        connection = stack.enter_context(listener.accept(20.0))
        connection.send(b"hello")
        time.sleep(0.5)
        os.kill(number, signal.SIGSTOP)
        begin = time.monotonic()
        while connection.end is None and time.monotonic() < begin + 60:
            if sending:
                with suppress(gns.SendQueueFull, gns.ConnectionClosed):
                    connection.send(b"are you there?")
            connection.poll(0.05)
        return time.monotonic() - begin


def timeouts(quick: bool) -> None:
    times = (500, 2000) if quick else (500, 2000, 5000, 10000)
    table(
        "Timeouts: until a vanished peer is noticed, by timeout_connected",
        "timeout_connected,while sending,while idle",
        (
            [
                f"{time_ms} ms",
                *(f"{silence(Config(timeout_connected=time_ms), sending):.1f} s" for sending in (True, False)),
            ]
            for time_ms in times
        ),
    )


# ---- a server: many connections --------------------------------------------------------------------------------------

TICK = 1 / 30
WORLD = [CHUNK] * 8


def players(pipe: Pipe, port: int, count: int) -> None:
    """So many clients in one thread: each gets the world, then sends 64 B thirty times a second."""
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


def run_apart(pipe: Pipe, function: Callable[..., Any], *arguments: object) -> None:
    pipe.send(function(*arguments))


def apart(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - whatever it returns
    """The function's result, from a process of its own, so that its memory is its own, too."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=run_apart, args=(theirs, function, *arguments))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        child.join()


def server(quick: bool) -> None:
    count, seconds = (60, 2.0) if quick else (300, 8.0)
    kib = len(WORLD) * len(CHUNK) // 1024
    configs = {f"{rate} kB/s": at(rate * 1000, send_buffer_size=MIB) for rate in (128, 256, 512, 1024, 4096)}
    configs |= {"Config()": Config(), "Config.server()": Config.server()}
    table(
        f"Server: {count} players join at once, {kib} KiB for each; 30 ticks a second, 200 B out, 64 B in",
        "config,got it all,median,last,tick late p99,CPU of a core,memory per player",
        ([name, *apart(serve_players, config, count, seconds)] for name, config in configs.items()),
    )


# ---- memory ----------------------------------------------------------------------------------------------------------


def flood(pipe: Pipe, port: int, count: int, size: int) -> None:
    """Sends more than a reader takes that does not read, over so many connections, until all are closed."""
    batch = [bytes(size)] * 64
    connections = [gns.connect("127.0.0.1", port, config=at(4_000_000)) for _ in range(count)]
    while any(connection.end is None for connection in connections):
        for connection in connections:
            with suppress(gns.SendQueueFull, gns.ConnectionClosed):
                connection.send_many(batch)
            connection.poll()
        time.sleep(0.002)
    pipe.send("all closed")


def unread(config: Config, size: int) -> float:
    """Bytes per connection when nobody reads what comes in, up to the bound that closes the connection."""
    count = 10
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        pipe, _ = stack.enter_context(process(flood, listener.address.port, count, size))
        connections = [stack.enter_context(listener.accept(20.0)) for _ in range(count)]
        memory = psutil.Process().memory_info().rss
        peak = memory
        while not pipe.poll(0.01):
            peak = max(peak, psutil.Process().memory_info().rss)
        assert all(connection.wait_closed(1.0) for connection in connections)
        return (max(peak, psutil.Process().memory_info().rss) - memory) / count


def unsent(config: Config, size: int) -> float:
    """Bytes per connection when the peer does not acknowledge, with the send queue full."""
    count = 10
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        connections = []
        for _ in range(count):
            _, number = stack.enter_context(process(read, listener.address.port))
            connections.append(stack.enter_context(listener.accept(20.0)))
            os.kill(number, signal.SIGSTOP)
        memory = psutil.Process().memory_info().rss
        for connection in connections:
            with suppress(gns.SendQueueFull):
                while True:
                    connection.send_many([bytes(size)] * 64)
        time.sleep(1.0)
        result = (psutil.Process().memory_info().rss - memory) / count
        for connection in connections:
            connection.close(linger=False)
        return result


def memory(quick: bool) -> None:
    sizes = (16384,) if quick else (32, 1000, 16384)
    for what, measure in (("nobody reads what came in", unread), ("the peer does not acknowledge", unsent)):
        table(
            f"Memory of a connection at its bound, where {what}, by size of the messages",
            "config," + ",".join(f"{size} B" for size in sizes),
            (
                [name, *(f"{apart(measure, config, size) / MIB:.1f} MiB" for size in sizes)]
                for name, config in presets().items()
            ),
        )


PARTS = {
    "lan": lan,
    "internet": internet,
    "stall": stall,
    "nagle": nagle,
    "timeouts": timeouts,
    "server": server,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement: a minute instead of many")
    arguments = parser.parse_args()
    for part in arguments.parts or PARTS:
        if part not in PARTS:
            parser.error(f"{part!r} is none of {', '.join(PARTS)}")
        PARTS[part](arguments.quick)


if __name__ == "__main__":
    main()
