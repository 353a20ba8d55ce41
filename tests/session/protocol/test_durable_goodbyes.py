"""Goodbyes of durable sessions whose servers die: a model, in which each server would say another goodbye."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.durable_network import DurableNetwork

from gns_py.session import CloseReason

from .test_durable_pairs import CONFIG
from .test_resuming_pairs import model

pytestmark = pytest.mark.timeout(600)  # it searches


class DurableGoodbyes(RuleBasedStateMachine):
    """Everything that can happen to a session that ends."""

    def __init__(self) -> None:
        super().__init__()
        self.net = DurableNetwork(replace(CONFIG, close_timeout=100.0))
        self.has_waited = False

    @property
    def goes_on(self) -> bool:
        return self.net.client.end is None

    @rule(texts=st.lists(st.binary(max_size=4), max_size=3))
    def client_closes(self, texts: list[bytes]) -> None:
        net = self.net
        if net.client.may_send:
            for text in texts:
                net.client.outbox.put(text, 0, True)
            net.client.close(CloseReason.CLOSED_BY_CLIENT, 1001, "client", b"c", net.now)

    @rule(sends=st.booleans())
    def server_closes(self, sends: bool) -> None:
        net, owner = self.net, self.net.kept.owner
        while net.server.inbox.take() is not None:
            pass
        if net.server.may_send:
            if sends:
                net.server.outbox.put(b"last", 0, True)
            net.server.close(CloseReason.CLOSED_BY_SERVER, 1100 + owner, "server", b"%d" % owner, net.now)

    @precondition(lambda self: not self.has_waited)
    @rule()
    def server_answers_by_itself(self) -> None:
        """Once: the next time would be after the close timeout."""
        server = self.net.server
        if server.is_connected and server.may_send and server.goodbyes.theirs is not None:
            self.net.wait(server.next_tick - self.net.now)
            self.has_waited = True

    @rule(choose=st.data(), count=st.sampled_from([1, 2, 30]))
    def deliver(self, choose: st.DataObject, count: int) -> None:
        self.net.deliver(count, lambda some: choose.draw(st.sampled_from(some)))

    @rule(is_goodbye=st.booleans(), is_stored=st.booleans(), is_answered=st.booleans())
    def commit(self, is_goodbye: bool, is_stored: bool, is_answered: bool) -> None:
        server = self.net.durable
        if server.end is not None:
            return
        commit = server.pending or (server.prepare_goodbye() if is_goodbye else server.prepare(None))
        if commit is not None and is_stored:
            self.net.kept.carry_out(commit)
            if is_answered:
                server.committed(commit, self.net.now)

    @precondition(lambda self: self.goes_on)
    @rule()
    def resume_at_the_same_server(self) -> None:
        self.net.client.reconnect(self.net.now)
        self.net.connect()

    @precondition(lambda self: self.goes_on)
    @rule()
    def fail_over(self) -> None:
        self.net.newcomers = [None, None]
        self.net.handshakes.clear()
        self.net.fail_over()

    @precondition(lambda self: self.goes_on and not self.has_waited)
    @rule(is_answered=st.booleans(), arrive=st.integers(0, 2))
    def server_dies_with_its_own_answer(self, is_answered: bool, arrive: int) -> None:
        """Let a server answer by itself, before its application has read everything, and die when some has arrived."""
        self.client_closes([b"unread"])
        self.net.deliver(30, itemgetter(0))
        self.server_answers_by_itself()
        self.commit(is_goodbye=False, is_stored=True, is_answered=is_answered)
        self.net.deliver(arrive, itemgetter(-1))
        if self.goes_on:
            self.fail_over()

    @invariant()
    def an_end_is_ok(self) -> None:
        """Only the last confirmation can be lost: then the other end is ok."""
        client, server = self.net.client.end, self.net.server.end
        assert client is None or client.ok or (server is not None and server.ok), client
        assert server is None or server.ok or (client is not None and client.ok), server

    def teardown(self) -> None:
        """Let everything come to rest: both ends agree."""
        if self.goes_on:
            self.fail_over()
        for _ in range(10):
            self.net.settle()
            if self.net.server.end is None:
                self.server_closes(sends=False)
                self.commit(is_goodbye=False, is_stored=True, is_answered=True)
                self.net.settle()
            self.client_closes([])
        client, server = self.net.client.end, self.net.server.end
        assert client is not None
        self.an_end_is_ok()
        if client.ok and server is not None and server.ok:
            assert (server.code, server.text) == (client.code, client.text)


DurableGoodbyes.TestCase.settings = model(200)
TestDurableGoodbyes = DurableGoodbyes.TestCase
