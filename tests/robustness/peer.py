"""A peer in a process of its own, to be stopped, starved or killed. Prints its port, then its result as JSON.

read    reads everything, checks that messages are numbered 0, 1, 2, ...
deaf    accepts, reads nothing until a line arrives on stdin, then reads what is left
send    connects to PORT and sends COUNT numbered messages of SIZE bytes as fast as RATE lets it
"""

from __future__ import annotations

import json
import struct
import sys

import gns_py.sync as gns

INDEX = struct.Struct("<q")


def receive(mode: str) -> None:
    config = gns.Config(timeout_connected=20_000)
    if mode == "read":  # on a busy machine, it may fall behind
        config |= gns.Config(recv_queue_messages=400_000, recv_queue_bytes=64 << 20)
    with gns.listen("127.0.0.1", 0, config=config) as listener:
        print(listener.address.port, flush=True)
        connection = listener.accept(timeout=20)
        if mode == "deaf":
            sys.stdin.readline()
        count = 0
        broken = None
        try:
            for data in connection:
                index = INDEX.unpack_from(data)[0]
                if broken is None and index != count:
                    broken = f"message {count} has the index {index}"
                count += 1
        except gns.ConnectionClosedError as error:
            end = error.end
        else:
            assert connection.end is not None
            end = connection.end
        result = {"count": count, "broken": broken, "by": end.closed_by.name, "code": end.code, "text": end.text}
        print(json.dumps(result), flush=True)
        connection.close()


def send(port: int, count: int, size: int, rate: int) -> None:
    config = gns.Config(send_rate_min=rate, send_rate_max=rate, send_buffer_size=4 << 20)
    sent = 0
    code = 0
    with gns.connect("127.0.0.1", port, config=config) as connection:
        padding = bytes(size - INDEX.size)
        try:
            while sent < count:
                try:
                    connection.send(INDEX.pack(sent) + padding)
                    sent += 1
                except gns.SendQueueFull:  # noqa: PERF203 - nothing cheaper reveals it
                    connection.drain(timeout=20)
            connection.close(1000, "all sent")
        except gns.ConnectionClosed as error:
            code = error.code
    print(json.dumps({"sent": sent, "code": code}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(*map(int, sys.argv[2:]))
    else:
        receive(sys.argv[1])
