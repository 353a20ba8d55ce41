"""Properties, measurements and names of a connection."""

from __future__ import annotations

import pytest

from gns_py import ConnectionState, InfoFlags, _native

from .conftest import Ends


def test_properties_of_a_pair_in_memory(ends: Ends) -> None:
    info = _native.info(ends.here.handle)
    assert (info.state, info.remote_address, info.identity) == (ConnectionState.CONNECTED, None, "str:b")
    assert InfoFlags.LOOPBACK_BUFFERS in info.flags
    assert info.user_data == -1
    _native.set_user_data(ends.here.handle, -(2**63))
    assert _native.info(ends.here.handle).user_data == -(2**63)


def test_the_name(ends: Ends) -> None:
    _native.set_name(ends.here.handle, "naïve".encode())
    assert _native.get_name(ends.here.handle) == "naïve"
    with pytest.raises(ValueError, match=r"\w"):
        _native.set_name(ends.here.handle, bytes(5))


def test_the_report_is_text(ends: Ends) -> None:
    assert "connected" in _native.details(ends.here.handle)


def test_measurements_of_as_many_lanes_as_there_are(ends: Ends) -> None:
    status, lanes = _native.get_status(ends.here.handle, 1)
    assert status.state is ConnectionState.CONNECTED
    assert len(lanes) == 1
    assert _native.get_status(ends.here.handle, 0)[1] == []
    with pytest.raises(ValueError, match=r"\w"):
        _native.get_status(ends.here.handle, 2)


def test_a_history_is_kept_from_its_start(ends: Ends) -> None:
    handle = ends.here.handle
    assert _native.history(handle, 5) == []
    _native.start_history(handle, 1000, 5)
    assert _native.wait_ended(handle, 50_000) == 0
    samples = _native.history(handle, 5)
    assert 1 <= len(samples) <= 5
    assert [each.time_us for each in samples] == sorted(each.time_us for each in samples)
    with pytest.raises(ValueError, match=r"\w"):
        _native.start_history(handle, 1, 5)


def test_waiting_for_the_end_and_for_a_pong_returns_codes(ends: Ends) -> None:
    here = ends.here.handle
    assert _native.wait_ended(here, 0) == 0
    _native.close(ends.there.handle, 1234, b"bye", False)
    assert _native.wait_ended(here, 5_000_000) == 1
    assert _native.state(here) == ConnectionState.CLOSED_BY_PEER
    assert _native.wait_pong(here, 1000, _native.new_int64()) in _native.GONE
    record, payload = ends.here.receive(_native.EVENT_STATUS)
    info, listen_socket = _native.read_info(payload)
    assert (record[0], record[8], listen_socket) == (here, 1234, 0)
    assert (info.state, info.end_reason, info.end_text) == (ConnectionState.CLOSED_BY_PEER, 1234, "bye")
