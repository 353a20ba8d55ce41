"""The state of a session in each of its phases."""

from __future__ import annotations

import pytest
from support.framing import take
from support.network import Network

from gns_py.session import CloseReason
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.state import Phase


def network() -> Network:
    return Network(SessionConfig())


def drop(net: Network) -> None:
    net.newest.is_cut = True
    net.settle()


@pytest.mark.parametrize(
    ("phase", "is_connected"),
    [
        (Phase.SETTING_UP, False),
        (Phase.ESTABLISHED, True),
        (Phase.DROPPED, False),
        (Phase.RESUMING, False),
        (Phase.CLOSING, True),
        (Phase.ENDED, False),
    ],
)
def test_a_session_is_connected_while_both_ends_have_it_on_one_connection(phase: Phase, is_connected: bool) -> None:
    client = network().client
    client.phase = phase
    assert client.is_connected is is_connected
    assert client.may_send is (phase is not Phase.ENDED)


def test_a_dropped_session_is_established_until_an_end_says_goodbye() -> None:
    net = network()
    drop(net)
    assert net.client.phase is net.server.phase is Phase.DROPPED
    assert net.client.is_established
    net.client.close(CloseReason.CLOSED_BY_CLIENT, 1_000, "", b"", net.now)
    assert net.client.phase is Phase.DROPPED
    assert not net.client.is_established
    assert not net.client.may_send
    assert net.server.is_established


def test_the_end_is_delivered_after_the_messages_before_it_and_expected_earlier() -> None:
    net = network()
    net.client.outbox.put(b"last", 0, True)
    net.client.close(CloseReason.CLOSED_BY_CLIENT, 1_000, "bye", b"", net.now)
    net.settle()
    drop(net)
    server = net.server
    assert server.phase is Phase.DROPPED
    assert server.delivered_end is None
    end = server.expected_end
    assert end is not None
    assert take(server, net.now) is not None
    assert server.delivered_end == end
    assert server.has_delivered(end)
    net.wait(60.0)
    assert server.end is server.delivered_end is server.expected_end
    assert server.end != end
    assert server.has_delivered(end)
