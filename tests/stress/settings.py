"""What all processes of the stress have in common."""

from __future__ import annotations

from gns_py import Config
from gns_py.session import SessionConfig

# Seconds after which an end is told that its peer is gone.
SILENCE = 3.0
# Whoever waits longer than this for anything hangs: time limits, and the times for which processes are stopped.
PATIENCE = 30.0
# Whoever knows that it waits in vain does so for this long.
SHORT = 2.0
CODE, ABORTED, RAISED, SHUTDOWN = 1_234, 2_345, 2_001, 1_001
"""What is closed with; by the last two because of what a block or a server ends with."""

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
)
