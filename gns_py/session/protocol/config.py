"""The settings of a session."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .frames import MAX_CREDIT, MAX_MESSAGE, MAX_PING_TIMEOUT_MS, MIN_PING_TIMEOUT_MS

_MILLISECONDS = 1000.0
_MOST = {"max_message": MAX_MESSAGE, "credit_bytes": MAX_CREDIT, "credit_messages": MAX_CREDIT}
_MOST_SECONDS = 1e9


@dataclass(frozen=True, kw_only=True)
class SessionConfig:
    """The settings of one end of a session. Times are seconds, sizes bytes."""

    max_message: int = MAX_MESSAGE
    """The longest message that this end takes; 524,272 at most."""
    credit_bytes: int = 4 << 20
    """How much the peer may send before this end has read it."""
    credit_messages: int = 16_384
    """How many messages the peer may send before this end has read them."""
    send_queue_bytes: int = 4 << 20
    """How much may wait here for the peer to read, which drain() waits for; send() beyond it is refused."""
    send_queue_messages: int = 16_384
    """How many messages may wait here for the peer to read."""
    unreliable_queue: int = 1_024
    """How many unreliable messages may wait, to be sent and to be read; then the oldest one is dropped."""
    unreliable_queue_bytes: int = 1 << 20
    """How many bytes of them may wait, keys included; the newest one is always kept."""
    ping_timeout: float | None = 15.0
    """After so long without a sign of the peer's program the session ends with CLIENT_UNRESPONSIVE; None: never.

    The shorter one of both ends' holds, unless that is below the server's min_ping_timeout.
    """
    min_ping_timeout: float = 1.0
    """The shortest ping timeout that a client can have of this server, whatever the client wishes.

    The server's own ping_timeout holds if it is shorter still.
    """
    close_timeout: float = 5.0
    """How long close() waits without any progress: of messages on their way to the peer, or of the peer's answer."""
    hello_timeout: float = 5.0
    """How long a server waits for what a client has to say first."""
    decision_timeout: float = 10.0
    """How long a server's application may take to accept or reject."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type == "int":
                if not isinstance(value, int) or isinstance(value, bool):
                    raise TypeError(f"{each.name} must be an int, not {type(value).__name__}")
                if value < 1:
                    raise ValueError(f"{each.name} is {value}: it must be at least 1")
                if value > _MOST.get(each.name, value):
                    raise ValueError(f"{each.name} is {value}: {_MOST[each.name]} is the most")
            elif value is not None or each.type == "float":
                if not isinstance(value, int | float) or isinstance(value, bool):
                    raise TypeError(f"{each.name} must be seconds, not {type(value).__name__}")
                if not 0 < value <= _MOST_SECONDS:
                    raise ValueError(f"{each.name} is {value}: it must be above 0, and at most {_MOST_SECONDS:.0f}")
        if self.ping_timeout is not None and not (
            MIN_PING_TIMEOUT_MS <= self.ping_timeout * _MILLISECONDS <= MAX_PING_TIMEOUT_MS
        ):
            raise ValueError(f"ping_timeout is {self.ping_timeout}: it must be from 0.1 to 600, or None")

    @property
    def ping_timeout_ms(self) -> int:
        """As frames have it."""
        return 0 if self.ping_timeout is None else round(self.ping_timeout * _MILLISECONDS)

    def agreed_ping_timeout_ms(self, wished_ms: int) -> int:
        """What holds, at a server, with a client's wish; 0: none."""
        wishes = [each for each in (wished_ms, self.ping_timeout_ms) if each]
        floor = min(round(self.min_ping_timeout * _MILLISECONDS), self.ping_timeout_ms or MAX_PING_TIMEOUT_MS)
        return max(min(wishes), floor) if wishes else 0
