"""Closing all sessions of a server: one that fails does not keep the others from their goodbyes."""

from __future__ import annotations

import logging

import pytest
from support.plain import begin, endpoint_of, establish

from gns_py.session import CloseReason
from gns_py.session._core.server import say_goodbye_to_all


def test_it_goes_on_after_one_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise LookupError("as planned")

    crowd = [establish(begin()) for _ in range(3)]
    monkeypatch.setattr(crowd[1].engine, "queue_frame", fail)
    with caplog.at_level(logging.ERROR, "gns_py"):
        say_goodbye_to_all([ends.server for ends in crowd], 1007, "closed for today")
    for number, ends in enumerate(crowd):
        ends.until(lambda ends=ends: ends.client.end)  # type: ignore[misc]
        end = ends.client.end
        assert end is not None
        if number == 1:
            assert end.reason is CloseReason.INTERNAL_ERROR
        else:
            assert (end.reason, end.code, end.text) == (CloseReason.SERVER_SHUTTING_DOWN, 1007, "closed for today")
        ends.abort()
    (record,) = caplog.records
    assert "without a goodbye" in record.getMessage()
    assert "as planned" in caplog.text


def test_a_goodbye_that_cannot_be_sent_is_refused_before_any_session_is_closed() -> None:
    ends = establish(begin())
    for code, text, error in [(1, "", ValueError), (1000, b"", TypeError)]:
        with pytest.raises(error):
            say_goodbye_to_all([ends.server], code, text)  # type: ignore[arg-type]
    assert not endpoint_of(ends.server).is_kept
    assert ends.server.is_established
    ends.abort()
