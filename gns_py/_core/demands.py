"""Demands on peers, which they must meet in the handshake: the arguments of connect() and listen(), checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _native

if TYPE_CHECKING:
    from ..certs import Expect


def demand_on_server(expect: Expect | None) -> _native.PeerPolicy | None:
    """Return what the server of a connect() must prove; None for what the whole process demands.

    Raises:
        TypeError: ``expect`` is not an Expect.
    """
    if expect is None:
        return None
    from ..certs import Expect  # not before it is needed: it takes time

    if not isinstance(expect, Expect):
        raise TypeError(f"expect must be an Expect, not {type(expect).__name__}")
    return _native.PeerPolicy("" if expect.identity is None else str(expect.identity), expect.keys)


def demand_on_clients(require_authentication: bool | None) -> _native.PeerPolicy | None:
    """Return what the clients of a listen() must prove; None for what the whole process demands.

    Raises:
        TypeError: ``require_authentication`` is not a bool.
    """
    if require_authentication is None:
        return None
    if not isinstance(require_authentication, bool):
        raise TypeError(f"require_authentication must be a bool, not {type(require_authentication).__name__}")
    return _native.PeerPolicy(authenticated=require_authentication)
