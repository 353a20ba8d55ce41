"""The internal end of a session: what arrives is carried out in order, and a fault ends only that session."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest
from support import counts_references, eventually
from support.plain import Ends, PlainEndpoint, begin, endpoint_of, establish

import gns_py.sync as gns
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session._core.endpoint import SessionEndpoint
from gns_py.session.protocol.state import Phase
from gns_py.session.sync import SessionClosed


def fail(*_: object) -> None:
    raise LookupError("as planned")


def test_inputs_are_carried_out_in_order_even_if_one_fails(plain_ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    endpoint, order = endpoint_of(plain_ends.server), list[int]()

    def put_more(number: int) -> None:
        order.append(number)
        endpoint.inputs.append((order.append, (3,)))

    endpoint.inputs += [(put_more, (1,)), (fail, ()), (order.append, (2,))]
    with caplog.at_level(logging.ERROR, "gns_py"):
        endpoint.work()
    assert order == [1, 2, 3]
    assert not endpoint.inputs
    (record,) = caplog.records
    assert "is ended" in record.getMessage()
    assert "as planned" in caplog.text


def test_a_failing_input_ends_only_its_session(plain_ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    other = establish(begin())
    endpoint = endpoint_of(plain_ends.server)
    endpoint.inputs.append((fail, ()))
    endpoint.work()
    assert endpoint.has_ended
    assert len(caplog.records) == 1
    assert endpoint.engine.end is not None
    assert endpoint.engine.end.reason is CloseReason.INTERNAL_ERROR
    plain_ends.until(lambda: plain_ends.client.end)
    assert plain_ends.client.end is not None
    assert plain_ends.client.end.reason is CloseReason.INTERNAL_ERROR
    other.client.send(b"still here")
    other.until(lambda: len(endpoint_of(other.server).inbox))
    other.abort()


def test_data_that_arrives_while_inputs_wait_is_put_off(plain_ends: Ends) -> None:
    endpoint, order = endpoint_of(plain_ends.server), list[bytes]()
    endpoint.inputs.append((lambda: order.append(b"input"), ()))
    plain_ends.client.send(b"data")
    plain_ends.until(lambda: len(endpoint.inbox))
    message = endpoint.take()
    assert isinstance(message, Message)
    assert [*order, message.data] == [b"input", b"data"]


@counts_references
def test_a_session_that_is_dropped_is_abandoned() -> None:
    ends = establish(begin())
    client, server = ends
    endpoint, gone = weakref.ref(endpoint_of(server)), weakref.ref(server)
    del ends
    with pytest.warns(ResourceWarning, match="unclosed session"):
        del server
    gc.collect()
    assert gone() is None
    assert endpoint() is None
    eventually(lambda: endpoint_of(client).endpoint.mailbox.receive(0.0) and client.end)
    assert client.end is not None
    assert (client.end.reason, client.end.text) == (CloseReason.ABORTED, "the session was dropped")


def test_it_is_kept_from_its_goodbye_on(plain_ends: Ends) -> None:
    endpoint = endpoint_of(plain_ends.client)
    with pytest.raises(ValueError, match="code is 1"):
        endpoint.begin_close(1, "", b"")
    assert (endpoint.is_kept, endpoint.keeps) == (False, [])
    endpoint.begin_close(1000, "", b"")
    assert (endpoint.is_kept, endpoint.keeps) == (True, [True])
    assert endpoint.engine.phase is Phase.CLOSING
    with pytest.raises(SessionClosed):
        endpoint.is_drained()


def test_the_watcher_hears_of_all_until_it_is_established_and_of_phases_from_then_on() -> None:
    ends = begin()
    endpoint, seen = endpoint_of(ends.server), list[Phase]()

    def watch(changed: SessionEndpoint) -> None:
        assert changed is endpoint
        seen.append(changed.engine.phase)

    endpoint.watcher = watch
    endpoint.on_change()
    endpoint.on_change()
    assert seen == [Phase.SETTING_UP] * 2
    establish(ends)
    del seen[:-1]
    for _ in range(3):
        endpoint.on_change()
    ends.abort()
    endpoint.on_change()
    assert seen == [Phase.ESTABLISHED, Phase.ENDED]


def test_a_change_that_cannot_be_announced_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Mute(PlainEndpoint):
        def announce_change(self) -> None:
            fail()

    first, second = gns.socket_pair()
    ends = begin()
    endpoint = Mute(first, lambda _: ends.engine)
    endpoint.on_change()
    assert "could not be announced" in caplog.text
    ends.abort()
    first.close()
    second.close()
