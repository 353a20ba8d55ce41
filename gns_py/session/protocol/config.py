"""The settings of a session."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .frames import MAX_CREDIT, MAX_MESSAGE, MAX_PING_TIMEOUT_MS, MIN_PING_TIMEOUT_MS

_MILLISECONDS = 1000.0
_MAX = {"max_message": MAX_MESSAGE, "credit_bytes": MAX_CREDIT, "credit_messages": MAX_CREDIT}
_MAX_SECONDS = 1e9
# A peer says what it has read each 1 MiB and 4,096 messages at the latest. With this much room, messages do not wait
# for that.
_MIN = {"resend_buffer_bytes": 2 << 20, "resend_buffer_messages": 8_192}


@dataclass(frozen=True, kw_only=True)
class SessionConfig:
    """The settings of one end of a session. Times are seconds, sizes bytes."""

    max_message: int = MAX_MESSAGE
    """The longest message that this end takes; at most 524,272."""
    credit_bytes: int = 4 << 20
    """How many bytes the peer may send before this end has read them."""
    credit_messages: int = 16_384
    """How many messages the peer may send before this end has read them."""
    send_queue_bytes: int = 4 << 20
    """How many bytes may wait here for the peer to read. drain() waits for them; send() refuses more."""
    send_queue_messages: int = 16_384
    """How many messages may wait here for the peer to read."""
    resume_window: float | None = 30.0
    """How long the session outlives a lost connection; None or 0: it does not. The shorter one of both ends applies."""
    resend_buffer_bytes: int = 4 << 20
    """How many bytes are kept, after they were sent, until the peer has read them; at least 2 MiB.

    They are sent again if the session goes on, on a new connection. Beyond this, messages wait here as they do when the
    peer has no room for them.
    """
    resend_buffer_messages: int = 16_384
    """How many messages are kept in the same way; at least 8,192."""
    unreliable_queue: int = 1_024
    """How many unreliable messages may wait to be sent, and to be read; beyond this the oldest one is dropped."""
    unreliable_queue_bytes: int = 1 << 20
    """How many bytes of them may wait, keys included; the newest one is always kept."""
    ping_timeout: float | None = 15.0
    """After this time without a sign of the peer's program the connection is lost: CLIENT_UNRESPONSIVE. None: never.

    The session goes on, on another one, within ``resume_window``; without that it ends.

    The shorter of the two ends' timeouts applies, unless it is below the server's min_ping_timeout.
    """
    min_ping_timeout: float = 1.0
    """The shortest ping timeout that this server grants a client.

    The server's own ping_timeout applies if it is even shorter.
    """
    close_timeout: float = 5.0
    """How long close() waits without progress of the messages on their way to the peer, or of the peer's answer."""
    hello_timeout: float = 5.0
    """How long a server waits for a client's HELLO, and for its CONFIRM."""
    decision_timeout: float = 10.0
    """How long a server's application may take to accept or reject."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type == "int":
                if not isinstance(value, int) or isinstance(value, bool):
                    raise TypeError(f"{each.name} must be an int, not {type(value).__name__}")
                if value < _MIN.get(each.name, 1):
                    raise ValueError(f"{each.name} is {value}: it must be at least {_MIN.get(each.name, 1)}")
                if value > _MAX.get(each.name, value):
                    raise ValueError(f"{each.name} is {value}: at most {_MAX[each.name]} is allowed")
            elif value is not None or each.type == "float":
                if not isinstance(value, int | float) or isinstance(value, bool):
                    raise TypeError(f"{each.name} must be seconds, not {type(value).__name__}")
                if not 0 < value <= _MAX_SECONDS and not (each.name == "resume_window" and value == 0):
                    raise ValueError(f"{each.name} is {value}: it must be above 0, and at most {_MAX_SECONDS:.0f}")
        if self.ping_timeout is not None and not (
            MIN_PING_TIMEOUT_MS <= self.ping_timeout * _MILLISECONDS <= MAX_PING_TIMEOUT_MS
        ):
            raise ValueError(f"ping_timeout is {self.ping_timeout}: it must be from 0.1 to 600, or None")

    @property
    def ping_timeout_ms(self) -> int:
        """The ping timeout as frames have it: in milliseconds, 0 for none."""
        return 0 if self.ping_timeout is None else round(self.ping_timeout * _MILLISECONDS)

    @property
    def resume_window_ms(self) -> int:
        """The resume window as frames have it: in milliseconds, 0 for none."""
        return 0 if not self.resume_window else max(1, round(self.resume_window * _MILLISECONDS))

    def agreed_ping_timeout_ms(self, asked_ms: int) -> int:
        """Return a server's ping timeout for a client that asks for this one; 0 stands for none."""
        timeouts = [each for each in (asked_ms, self.ping_timeout_ms) if each]
        floor = min(round(self.min_ping_timeout * _MILLISECONDS), self.ping_timeout_ms or MAX_PING_TIMEOUT_MS)
        return max(min(timeouts), floor) if timeouts else 0
