"""Durable sessions: commits, another server that goes on, and a store that has lost something."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest
from support.durable_network import CONFIG, DurableNetwork
from support.network import CLIENT, SERVER, Link, Network, Wire

from gns_py import ClosedBy, ConnectionEnd
from gns_py.errors import InvalidStateError, SendQueueFull
from gns_py.session import CloseReason, SessionEnd
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.durable import Commit, DurableServerEngine, Outgoing, read_setup
from gns_py.session.protocol.server import ServerStep
from gns_py.session.protocol.state import Phase
from gns_py.session.protocol.violation import Violation


@pytest.fixture
def net() -> DurableNetwork:
    return DurableNetwork()


def send(net: Network, who: int, *texts: bytes, lane: int = 0) -> None:
    for text in texts:
        net.engines[who].outbox.put(text, lane, True)
    net.engines[who].flush(net.now)


def take(net: Network, who: int, count: int | None = None) -> list[bytes]:
    taken: list[bytes] = []
    inbox = net.engines[who].inbox
    while (count is None or len(taken) < count) and (message := inbox.take()) is not None:
        taken.append(message.data)
        if inbox.is_ack_due:
            net.engines[who].acknowledge(net.now)
    return taken


def acked(net: Network) -> dict[int, int]:
    return net.client.outbox.acked_numbers


def test_a_client_knows_that_it_is_durable(net: DurableNetwork) -> None:
    assert net.client.is_durable
    assert net.server.is_durable
    assert not Network(CONFIG).client.is_durable


def test_nothing_is_acknowledged_or_released_before_a_commit(net: DurableNetwork) -> None:
    send(net, CLIENT, *[b"in %d" % number for number in range(4)])
    net.settle()
    assert len(take(net, SERVER, 3)) == 3
    send(net, SERVER, b"out")
    net.settle()
    assert take(net, CLIENT) == []
    assert acked(net) == {}
    commit = net.durable.prepare(b"state")
    assert commit.number == 1
    assert commit.progress.handled == {0: 3}
    assert commit.progress.handled_bytes == 12
    assert commit.outgoing == (Outgoing(0, 1, b"out"),)
    net.settle()
    assert take(net, CLIENT) == []
    net.durable.committed(commit, net.now)
    net.settle()
    assert acked(net) == {0: 3}
    assert take(net, CLIENT) == [b"out"]
    assert net.durable.prepare(None) == Commit(2, None, replace(commit.progress, acked={}), ())


def test_what_is_sent_during_a_commit_waits_for_the_next(net: DurableNetwork) -> None:
    send(net, SERVER, b"first")
    commit = net.durable.prepare(None)
    send(net, SERVER, b"second")
    with pytest.raises(InvalidStateError):
        net.durable.prepare(None)
    net.durable.committed(replace(commit), net.now)  # another one
    net.kept.carry_out(commit)
    net.durable.committed(commit, net.now)
    net.durable.committed(commit, net.now)  # twice
    net.settle()
    assert take(net, CLIENT) == [b"first"]
    net.commit()
    net.settle()
    assert take(net, CLIENT) == [b"second"]


def test_another_server_goes_on(net: DurableNetwork) -> None:
    send(net, CLIENT, b"in 1", b"in 2", b"in 3")
    net.settle()
    assert take(net, SERVER, 2) == [b"in 1", b"in 2"]
    send(net, SERVER, b"out 1", b"out 2")
    net.commit(b"counted 2")
    assert take(net, SERVER) == [b"in 3"]  # not committed
    send(net, SERVER, b"out 3")
    net.fail_over()
    assert net.durable.is_restored
    assert net.kept.state == b"counted 2"
    assert read_setup(net.kept.setup).hello.data == net.server.peer_data == b"data"
    net.settle()
    assert net.client.phase is net.server.phase is Phase.ESTABLISHED
    assert net.epochs() == (1 << 20 | 1, 1 << 20 | 1)
    assert take(net, SERVER) == [b"in 3"]
    assert take(net, CLIENT) == [b"out 1", b"out 2"]
    send(net, SERVER, b"out 3 again")
    send(net, CLIENT, b"in 4")
    net.commit()
    net.settle()
    assert take(net, CLIENT) == [b"out 3 again"]
    assert take(net, SERVER) == [b"in 4"]
    assert not net.server.notices


def test_what_was_delivered_does_not_come_again(net: DurableNetwork) -> None:
    send(net, SERVER, b"out 1", b"out 2")
    net.commit()
    net.settle()
    assert take(net, CLIENT, 1) == [b"out 1"]
    net.fail_over()
    net.settle()
    assert take(net, CLIENT) == [b"out 2"]
    net.fail_over()
    net.settle()
    assert take(net, CLIENT) == []
    assert net.epochs() == (2 << 20 | 1, 2 << 20 | 1)


def test_credit_goes_on(net: DurableNetwork) -> None:
    total = 0
    for number in range(40):
        for _ in range(3):
            send(net, CLIENT, b"x" * 100)
        net.settle()
        total += len(take(net, SERVER))
        net.commit()
        net.settle()
        if number % 7 == 3:
            net.fail_over()
            net.settle()
    net.commit()
    net.settle()
    total += len(take(net, SERVER))
    assert total == 120
    assert net.client.phase is Phase.ESTABLISHED


def test_the_same_server_resumes_it(net: DurableNetwork) -> None:
    send(net, CLIENT, b"in 1", b"in 2")
    net.settle()
    assert take(net, SERVER) == [b"in 1", b"in 2"]  # not committed: they come again, and are duplicates
    send(net, SERVER, b"out")
    net.client.reconnect(net.now)
    net.connect()
    net.settle()
    assert net.client.phase is net.server.phase is Phase.ESTABLISHED
    assert take(net, SERVER) == take(net, CLIENT) == []
    send(net, CLIENT, b"in 3")
    net.settle()
    assert take(net, SERVER) == [b"in 3"]
    net.commit()
    net.settle()
    assert acked(net) == {0: 3}
    assert take(net, CLIENT) == [b"out"]


def test_a_lost_commit_leaves_no_gap(net: DurableNetwork) -> None:
    send(net, SERVER, b"out 1")
    net.commit()
    old = net.kept.saved()
    send(net, SERVER, b"out 2")
    net.commit()
    net.settle()
    assert take(net, CLIENT) == [b"out 1", b"out 2"]
    net.kept.commit, net.kept.progress, net.kept.outgoing = old.commit, old.progress, list(old.outgoing)
    with pytest.raises(Violation) as lost:
        net.fail_over()
    assert lost.value.reason is CloseReason.LOST_MESSAGES


def test_a_lost_acknowledgement_is_noticed_by_the_client(net: DurableNetwork) -> None:
    old = net.kept.saved()
    send(net, CLIENT, b"in 1")
    net.settle()
    take(net, SERVER)
    net.commit()
    net.settle()
    assert acked(net) == {0: 1}
    net.kept.commit, net.kept.progress = old.commit, old.progress
    net.fail_over()
    net.settle()
    ends = net.client.end, net.server.end
    assert [end.reason for end in ends if end] == [CloseReason.LOST_MESSAGES] * 2


def test_a_lost_claim_is_noticed(net: DurableNetwork) -> None:
    net.fail_over()
    net.settle()
    net.kept.owner = 0
    with pytest.raises(Violation) as lost:
        net.fail_over()
    assert lost.value.reason is CloseReason.LOST_MESSAGES


@pytest.mark.parametrize("wrong", ["token", "epoch"])
def test_a_wrong_token_gets_nothing(net: DurableNetwork, wrong: str) -> None:
    net.client._token = b"x" * 16 if wrong == "token" else net.client._token  # noqa: SLF001
    net.client._epoch += wrong == "epoch"  # noqa: SLF001
    with pytest.raises(Violation) as refused:
        net.fail_over()
    assert refused.value.reason is CloseReason.AUTHENTICATION_FAILED
    assert net.server.step is ServerStep.RESUME  # nothing has changed


def test_a_store_that_is_too_slow_is_not_the_clients_fault(net: DurableNetwork) -> None:
    net.client.reconnect(net.now)
    link = net.connect()
    net.now += 4.0  # the client needed that long
    net.settle_until_resume(link)
    handshake = net.handshakes[link]
    handshake.tick(net.now + 4.0)
    assert handshake.step is ServerStep.RESUME
    handshake.tick(net.now + 5.0)
    assert handshake.end is not None
    assert handshake.end.reason is CloseReason.INTERNAL_ERROR
    assert handshake.end.text == "the session was not restored in time"


def test_an_old_token_is_void_once_a_newer_one_was_committed(net: DurableNetwork) -> None:
    old = net.client._token  # noqa: SLF001
    net.client.reconnect(net.now)
    net.connect()
    net.settle()
    net.commit()
    net.client._token, net.client._epoch = old, 1  # noqa: SLF001
    with pytest.raises(Violation) as refused:
        net.fail_over()
    assert refused.value.reason is CloseReason.AUTHENTICATION_FAILED


def test_an_owner_that_was_fenced_releases_nothing(net: DurableNetwork) -> None:
    send(net, SERVER, b"out")
    commit = net.durable.prepare(None)
    net.durable.lose(CloseReason.FAILED_OVER, "another server has it", net.now)
    net.durable.committed(commit, net.now)
    net.settle()
    assert net.server.end is not None
    assert net.server.end.reason is CloseReason.FAILED_OVER
    assert take(net, CLIENT) == []
    assert net.client.phase is Phase.DROPPED  # and goes to the other one


def test_the_send_queue_is_bounded(net: DurableNetwork) -> None:
    config = replace(CONFIG, send_queue_messages=3)
    net = DurableNetwork(config)
    for _ in range(3):
        net.server.outbox.put(b"x", 0, True)
    with pytest.raises(SendQueueFull):
        net.server.outbox.put(b"x", 0, True)
    net.commit()
    net.settle()
    net.server.outbox.put(b"x", 0, True)


def test_a_client_that_cannot_resume_gets_no_durable_session() -> None:
    network = Network.__new__(DurableNetwork)
    wire = Wire(Link(0), SERVER)
    server = DurableServerEngine(wire, CONFIG, 0.0)
    with pytest.raises(InvalidStateError, match="nothing to accept"):
        server.accept_durable(b"", 0.0)
    ClientEngine(Wire(wire.link, CLIENT), replace(CONFIG, resume_window=None), b"", 10.0, 0.0)
    queue: deque[object] = wire.link.queues[CLIENT][0, True]  # type: ignore[assignment]
    server.receive(queue.popleft(), 0.0)  # type: ignore[arg-type]
    with pytest.raises(InvalidStateError, match="resume_window"):
        server.accept_durable(b"", 0.0)
    server.accept(b"", 0.0)
    with pytest.raises(InvalidStateError):
        server.prepare(None)
    del network


def test_goodbyes_of_a_restored_session(net: DurableNetwork) -> None:
    send(net, CLIENT, b"last")
    net.client.close(CloseReason.CLOSED_BY_CLIENT, 1000, "", b"bye", net.now)
    net.settle()
    net.fail_over()
    net.settle()
    assert take(net, SERVER) == [b"last"]
    net.commit(b"done")
    net.server.close(CloseReason.CLOSED_BY_SERVER, 1000, "", b"answer", net.now)
    net.settle()
    assert net.client.goodbyes.theirs is None  # the goodbye is not committed
    net.commit()
    net.settle()
    assert net.client.end is not None
    assert net.client.end.ok
    assert net.client.end.data == b"answer"


def hear_goodbye(net: DurableNetwork) -> None:
    """Let all arrive at the client up to the server's goodbye."""
    while net.client.goodbyes.theirs is None:
        net.arrive(*next(each for each in net.under_way() if each[1] == SERVER))
        while net.mailboxes[CLIENT]:
            net.handle(CLIENT)


@pytest.mark.parametrize("closes_first", [CLIENT, SERVER])
@pytest.mark.parametrize("is_said", [False, True])
def test_another_server_keeps_the_promise_of_a_goodbye(net: DurableNetwork, closes_first: int, is_said: bool) -> None:
    """The client may have heard it, and must not hear another one."""
    send(net, CLIENT, b"last")
    net.settle()
    assert take(net, SERVER) == [b"last"]
    if closes_first == CLIENT:
        net.client.close(CloseReason.CLOSED_BY_CLIENT, 1001, "from me", b"bye", net.now)
        net.settle()
    net.server.close(CloseReason.CLOSED_BY_SERVER, 1002, "from here", b"data", net.now)
    if is_said:
        net.commit(b"done")
        hear_goodbye(net)
    else:
        net.kept.carry_out(net.durable.prepare(b"done"))  # its answer is lost
    assert (net.client.goodbyes.theirs is not None) == is_said
    net.fail_over()
    net.settle()
    assert not net.server.may_send
    if closes_first == SERVER:
        net.client.close(CloseReason.CLOSED_BY_CLIENT, 1001, "from me", b"bye", net.now)
        net.settle()
    for end, data in ((net.client.end, b"data"), (net.server.end, b"bye")):
        assert end is not None
        assert end.ok
        assert (end.code, end.text) == ((1001, "from me") if closes_first == CLIENT else (1002, "from here"))
        assert end.data == data


def test_a_goodbye_that_is_not_committed_binds_no_other_server(net: DurableNetwork) -> None:
    net.server.close(CloseReason.CLOSED_BY_SERVER, 1002, "from here", b"data", net.now)
    net.settle()
    net.fail_over()
    net.settle()
    assert net.server.may_send
    assert net.client.may_send


def test_an_automatic_goodbye_leaves_the_rest_to_the_next_server(net: DurableNetwork) -> None:
    send(net, CLIENT, b"first")
    net.settle()
    net.client.close(CloseReason.CLOSED_BY_CLIENT, 1000, "", b"bye", net.now)
    net.settle()
    net.now = net.server.next_tick
    net.server.tick(net.now)
    assert take(net, SERVER) == [b"first"]
    assert net.durable.prepare_goodbye() is None  # the application may still commit what it has taken
    net.fail_over()
    net.settle()
    net.now = net.server.next_tick
    net.server.tick(net.now)
    promised = net.durable.prepare_goodbye()
    assert promised is not None
    net.kept.carry_out(promised)
    net.durable.committed(promised, net.now)
    assert net.durable.prepare_goodbye() is None
    net.settle()
    net.fail_over()
    net.settle()
    assert take(net, SERVER) == [b"first"]
    assert net.client.end is None
    net.commit(b"done")
    net.settle()
    assert net.client.end is not None
    assert net.client.end.ok


def test_the_end_of_the_connection_is_not_that_of_a_session_which_another_server_has(
    net: DurableNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a connection may bring its end at once: as CONNECTION_LOST, the record would be deleted."""
    server = net.durable
    seen: list[SessionEnd | None] = []
    close = server.transport.close

    def close_and_tell(code: int, text: str, linger: bool) -> None:
        close(code, text, linger)
        server.connection_ended(ConnectionEnd(ClosedBy.LOCAL, code, text), net.now)
        seen.append(server.end)

    monkeypatch.setattr(server.transport, "close", close_and_tell)
    server.lose(CloseReason.FAILED_OVER, "another server has it", net.now)
    assert [end and end.reason for end in [*seen, server.end]] == [CloseReason.FAILED_OVER] * 2
