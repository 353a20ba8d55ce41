"""Handlers that many tests serve with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gns_py.session.sync import Session
    from gns_py.sync import Connection


def echo(connection: Connection | Session) -> None:
    """Send back each message."""
    for data in connection:
        connection.send(data)
