"""Messages: records, with data of their own or a view of it."""

from __future__ import annotations

from gns_py import Message, MessageView
from gns_py.message import with_bytes, with_view


def test_a_message_is_a_tuple() -> None:
    data, number, lane, reliable, received_us = message = Message(b"data", 1, 0, True, 5)
    assert (data, number, lane, reliable, received_us) == (b"data", 1, 0, True, 5)
    assert message.data == b"data"


def test_a_view_becomes_a_message_with_its_own_data_and_back() -> None:
    buffer = bytearray(b"data")
    view = MessageView(memoryview(buffer).toreadonly(), 1, 2, True, 5)
    message = with_bytes(view)
    buffer[:] = b"gone"
    assert message == Message(b"data", 1, 2, True, 5)
    assert type(message.data) is bytes
    again = with_view(message)
    assert (type(again), bytes(again.data), again[1:]) == (MessageView, b"data", message[1:])


def test_what_fits_already_is_returned_as_it_is() -> None:
    message = Message(b"data", 1, 0, False, 5)
    view = with_view(message)
    assert with_bytes(message) is message
    assert with_view(view) is view
