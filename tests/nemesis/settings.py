"""Settings that all processes of the nemesis tests share."""

from __future__ import annotations

from gns_py import Config
from gns_py.session import SessionConfig

LANES = 3
BATCH = 16
"""The most messages that an end takes before it writes them down: a kill may lose the record of this many."""
DETECTED = 3.0
"""Seconds after which both ends have noticed that the network or the other program is silent."""
WINDOW = 6.0
DURABLE_WINDOW = 9.0
"""Of durable sessions, whose client may have to find another server, and that one a store."""
PATIENCE = DURABLE_WINDOW + 60.0
"""Seconds after which a session that should have ended hangs."""
COMPLETE, MIDWAY, ABORTED, SHUTDOWN = 1_000, 1_001, 2_345, 1_002
"""The codes of closing."""
SERVICE = "nemesis"
"""The name under which Sentinels know the store."""
TICK = 0.03
"""Seconds between the commits of a server for many sessions."""
ATTEMPTS = 20
"""How often a server tries to commit what is left of a session whose client has said goodbye."""

CONFIG = Config(
    timeout_initial=2_000,
    timeout_connected=1_500,
    send_rate_min=5 << 20,
    send_rate_max=5 << 20,
    send_buffer_size=256 << 10,
)


def session_config(*, is_tight: bool, is_durable: bool) -> SessionConfig:
    """Return an end's settings; a tight one has little credit, so that much waits for it."""
    return SessionConfig(
        credit_bytes=150_000 if is_tight else 4 << 20,
        credit_messages=60 if is_tight else 16_384,
        ping_timeout=2.0,
        hello_timeout=DETECTED,
        close_timeout=DETECTED,
        resume_window=DURABLE_WINDOW if is_durable else WINDOW,
    )
