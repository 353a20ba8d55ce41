"""The part of an API that contract tests use: the names of gns_py.sync, which is one itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from gns_py import Config, ConnectionLimits, Identity
from gns_py._core.checks import StatusCallback
from gns_py.certs import Expect
from gns_py.sync import Connection, ListenSocket, PollGroup, Server


class Api(Protocol):
    """gns_py.sync, or an adapter that shows another API under its names."""

    @property
    def __name__(self) -> str: ...

    def connect(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None = 10.0,
        config: Config | None = None,
        expect: Expect | None = None,
        on_status_changed: StatusCallback | None = None,
        wait: bool = True,
    ) -> Connection: ...

    def listen(
        self,
        host: str,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = ...,
        require_authentication: bool | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> ListenSocket: ...

    def serve(
        self,
        handler: Callable[[Connection], None],
        host: str,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = ...,
        require_authentication: bool | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> Server: ...

    def socket_pair(
        self, *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
    ) -> tuple[Connection, Connection]: ...

    @property
    def PollGroup(self) -> Callable[[], PollGroup]: ...  # noqa: N802 - a class's name


def once(reason: str) -> pytest.MarkDecorator:
    """Mark a contract test that one API is enough for; the reason is for the reader."""
    assert reason
    return pytest.mark.parametrize("api", ["sync"], indirect=True)
