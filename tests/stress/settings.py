"""Settings that all processes of the stress share."""

from __future__ import annotations

from gns_py import Config
from gns_py.session import SessionConfig

# Seconds after which an end is told that its peer is gone.
SILENCE = 3.0
# A wait longer than this means a hang: for time limits, and for the times for which processes are stopped.
PATIENCE = 30.0
# How long an end waits that knows it waits in vain.
SHORT = 2.0
CODE, ABORTED, RAISED, SHUTDOWN = 1_234, 2_345, 2_001, 1_001
"""The codes of closing; the last two belong to the ends of blocks and servers."""

CONFIG = Config(
    timeout_initial=int(1000 * SILENCE),
    timeout_connected=int(1000 * SILENCE),
    send_rate_min=5 << 20,
    send_rate_max=5 << 20,
    send_buffer_size=256 << 10,
)
# Little credit, so that much waits for it.
SESSION_CONFIG = SessionConfig(
    credit_bytes=100_000,
    credit_messages=60,
    close_timeout=2.0,
    hello_timeout=SILENCE,
    ping_timeout=SILENCE,
    # Clients are stopped for good: their sessions have to be gone when the processes look at what is left behind.
    resume_window=2 * SILENCE,
)
