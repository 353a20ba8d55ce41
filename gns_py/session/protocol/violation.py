"""Protocol violations, and the checks of what a peer may send at any time."""

from __future__ import annotations

from collections.abc import Mapping

from ...message import Message
from .fields import MAX_LANE
from .frames import Data, Keyed, Untracked
from .reasons import CloseReason

# This many frames at once, and this many per second in the long run. Pings at the shortest ping timeout take a third
# of it.
_BURST = 100.0
_RATE = 100.0


class Violation(Exception):  # noqa: N818 - it is the peer's error, not the caller's
    """The peer has broken the protocol: the session ends with this reason and text."""

    def __init__(self, text: str, reason: CloseReason = CloseReason.INVALID_INBOUND_MESSAGE) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class FrameBudget:
    """A token bucket for the control frames of one peer that say nothing new."""

    def __init__(self, now: float) -> None:
        self._left = _BURST
        self._filled_at = now

    def spend(self, now: float) -> None:
        """Count a frame.

        Raises:
            Violation: There were too many.
        """
        self._left = min(self._left + (now - self._filled_at) * _RATE, _BURST) - 1.0
        self._filled_at = now
        if self._left < 0:
            raise Violation("too many control frames", CloseReason.RATE_LIMITED)


def check_lane(message: Message) -> None:
    """Refuse the one lane that GNS has and a frame cannot name.

    Raises:
        Violation: The message arrived on it.
    """
    if message.lane > MAX_LANE:
        raise Violation(f"a message arrived on lane {message.lane}: {MAX_LANE} is the highest")


def check_keyed(
    frame: Data | Untracked | Keyed,
    message: Message,
    received: Mapping[int, int],
    max_message: int,
    comes_again: Mapping[int, int] | None = None,
) -> Keyed:
    """Return the frame if it is KEYED. The transport unpacks all others, unless they must not arrive now.

    Args:
        frame: The frame that has arrived.
        message: The message that held it.
        received: The number of the last message that has arrived on each lane.
        max_message: The size of the longest message allowed, in bytes.
        comes_again: See Inbox.

    Raises:
        Violation: It must not arrive.
    """
    check_lane(message)
    size = len(frame.payload) + (len(frame.key) if isinstance(frame, Keyed) else 0)
    if isinstance(frame, Data) and not message.reliable:
        raise Violation("Data arrived unreliably")
    if size > max_message:
        text = f"a message of {size} bytes arrived; at most {max_message} are allowed"
        raise Violation(text, CloseReason.MESSAGE_TOO_LARGE)
    if isinstance(frame, Keyed):
        return frame
    expected = received.get(message.lane, 0) + 1
    if isinstance(frame, Data) and frame.sequence != expected:
        text = f"message {frame.sequence} of lane {message.lane} arrived where {expected} was expected"
        raise Violation(text, CloseReason.LOST_MESSAGES)
    # Only the transport knows the state of the replay. Until something new arrives, that is the likely culprit.
    if isinstance(frame, Data) and (comes_again or {}).get(message.lane) == frame.sequence - 1:
        text = f"message {frame.sequence} of lane {message.lane} arrived before those that have to come again"
        raise Violation(text, CloseReason.LOST_MESSAGES)
    raise Violation("a message arrived without credit", CloseReason.MESSAGE_QUEUE_LIMIT_REACHED)
