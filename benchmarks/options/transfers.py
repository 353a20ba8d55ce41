"""A large transfer with small messages in between, over one connection: LAN and Internet, by option."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection as Pipe

from options.harness import CHUNK, MIB, READER, STAMP, Row, at, listening, percentile, process, table

import gns_py.sync as gns
from gns_py import Config, SendQueue
from gns_py.sim import Network

MBIT = 125_000
SMALL, BULK = 0, 1  # lanes: small messages go before bulk
TRANSFER_COLUMNS = "config,time,goodput,small p50,small p99,small unreliable lost,sent beyond payload"
LINKS = {
    "10 Mbit/s, 20 ms, 1 %": Network(lag=10, jitter=2, loss=1, rate=10 * MBIT, burst=32768),
    "10 Mbit/s, 100 ms, 2 %": Network(lag=50, jitter=5, loss=2, rate=10 * MBIT, burst=32768),
    "50 Mbit/s, 50 ms, 1 %": Network(lag=25, jitter=2, loss=1, rate=50 * MBIT, burst=65536),
}


def receive(pipe: Pipe, port: int, config: Config, network: Network, volume: int) -> None:
    """Read until the volume has arrived, and send the time of that and the latencies of small messages."""
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


def transfer(config: Config, there: Network, back: Network, volume: int) -> dict[str, float]:
    """Send the volume in 16 KiB messages, and every 10 ms a small reliable and a small unreliable one before them."""
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
    """Return whether less than half of each bound is in use, as for drain(), so that small messages always fit."""
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


def compare(title: str, configs: dict[str, Config], link: Network, volume: int, runs: int) -> None:
    table(f"{title} ({volume // MIB} MiB)", TRANSFER_COLUMNS, transfers(configs, link, link, volume, runs))


def lan(quick: bool) -> None:
    """Measure transfers over loopback, by option."""
    volume, runs = (8 * MIB, 1) if quick else (32 * MIB, 3)
    loopback = Network()
    rates = {f"{rate} MB/s": at(rate * 1_000_000) for rate in (5, 10, 20, 30, 40, 60, 100)}
    compare("LAN, by send rate", rates, loopback, volume, runs)
    buffers = {f"{mib} MiB": at(20_000_000, send_buffer_size=int(mib * MIB)) for mib in (0.5, 1, 2, 4, 8)}
    compare("LAN, 20 MB/s, by send_buffer_size", buffers, loopback, volume, runs)
    segments = {str(count): at(20_000_000, max_unacked_segments=count) for count in (1024, 2048, 4096, 16384)}
    compare("LAN, 20 MB/s, by max_unacked_segments", segments, loopback, volume, runs)
    compare("LAN, presets", {"Config()": Config(), "Config.lan()": Config.lan()}, loopback, volume // 8, runs)


def internet(quick: bool) -> None:
    """Measure transfers over simulated links, by option."""
    volume, runs = (MIB, 1) if quick else (2 * MIB, 3)
    rates = {f"{rate} kB/s": at(rate * 1000) for rate in (256, 512, 768, 1000, 1250, 1600, 2500, 5000)}
    presets = {"Config()": Config(), "Config.internet()": Config.internet()}
    for name, link in LINKS.items():
        compare(f"Internet, {name}, by send rate", rates | presets, link, volume, runs)
    buffers = {f"{kib} KiB": at(512_000, send_buffer_size=kib * 1024) for kib in (64, 128, 256, 512, 1024)}
    name, link = list(LINKS.items())[1]
    compare(f"Internet, {name}, 512 kB/s, by send_buffer_size", buffers, link, volume, runs)
