"""Received messages."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """A message as the peer sent it."""

    data: bytes
    number: int
    """Its number on its lane, from 1, assigned by the sender; reliable and unreliable messages share the count."""
    lane: int
    reliable: bool
    received_us: int
    """When it arrived, in microseconds of gns_py.time_us()."""


class MessageView(NamedTuple):
    """A message that was not copied: its data is in the buffer into which it and others were received.

    The buffer stays alive as long as any view of it does, so do not keep views for long.
    """

    data: memoryview
    """Read-only."""
    number: int
    lane: int
    reliable: bool
    received_us: int


def with_bytes(message: Message | MessageView) -> Message:
    """Return the message with its own copy of the data."""
    return message if type(message) is Message else Message(bytes(message.data), *message[1:])


def with_view(message: Message | MessageView) -> MessageView:
    """Return the message with a view of its data."""
    return message if type(message) is MessageView else MessageView(memoryview(message.data), *message[1:])
