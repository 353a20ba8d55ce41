"""A received message."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """One message as the peer sent it."""

    data: bytes
    number: int
    """Its number on its lane, from 1, counted by the sender; reliable and unreliable ones share the count."""
    lane: int
    reliable: bool
    received_us: int
    """When it arrived, in microseconds of gns_py.time_us()."""


class MessageView(NamedTuple):
    """A message that was not copied: its data lies in the buffer that it was received into, with others'.

    The buffer lives as long as a view of it; keep views shortly.
    """

    data: memoryview
    """Read-only."""
    number: int
    lane: int
    reliable: bool
    received_us: int


def with_bytes(message: Message | MessageView) -> Message:
    """The message with data of its own."""
    return message if type(message) is Message else Message(bytes(message.data), *message[1:])


def with_view(message: Message | MessageView) -> MessageView:
    """The message with a view of its data."""
    return message if type(message) is MessageView else MessageView(memoryview(message.data), *message[1:])
