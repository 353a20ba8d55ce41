"""The options of all connections of gns_py that are measured."""

from __future__ import annotations

import os

from gns_py import Config

_RATE = int(os.environ.get("BENCH_RATE", "40000000"))  # bytes/s
CONFIG = Config(
    send_rate_min=_RATE,
    send_rate_max=_RATE,
    send_buffer_size=32 << 20,
    recv_queue_bytes=1 << 29,
    recv_queue_messages=1 << 22,
    max_unacked_segments=32768,
)
