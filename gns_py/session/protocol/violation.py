"""What a peer does that it must not."""

from __future__ import annotations

from .reasons import CloseReason


class Violation(Exception):  # noqa: N818 - it is the peer's, and no error of the caller
    """The peer has broken the protocol: the session ends with this reason and text."""

    def __init__(self, text: str, reason: CloseReason = CloseReason.INVALID_INBOUND_MESSAGE) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
