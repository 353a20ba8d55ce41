"""Two engines without resuming, whose frames the test carries: in any order that lanes allow, cut off at any moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.framing import Framing, take

from gns_py import ClosedBy, ConnectionEnd, EndReason, SendQueueFull
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.engine import Engine
from gns_py.session.protocol.server import ServerEngine
from gns_py.session.protocol.state import Phase
from gns_py.session.protocol.transport import Hold

CONFIG = SessionConfig(
    max_message=1_000,
    credit_bytes=2_000,
    credit_messages=8,
    send_queue_bytes=4_000,
    send_queue_messages=16,
    unreliable_queue=4,
    resume_window=0,
    ping_timeout=3.0,
    close_timeout=5.0,
)
LANES = 3
ROOM = 10  # messages under way, since GNS's own queue is bounded


class Way(Framing):
    """One direction of the network: a queue for each lane, reliable and unreliable."""

    def __init__(self) -> None:
        super().__init__()
        self.queues: dict[tuple[int, bool], deque[Message]] = {}
        self.count = 0
        self.closed: ConnectionEnd | None = None
        self.wants_room = False

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:  # noqa: ARG002
        assert self.closed is None, "sent after the end"
        if sum(map(len, self.queues.values())) >= ROOM:
            raise SendQueueFull
        self.count += 1
        self.queues.setdefault((lane, reliable), deque()).append(Message(message, self.count, lane, reliable, 0))
        return self.count

    def request_room_event(self) -> None:
        self.wants_room = True

    def close(self, code: int, text: str, linger: bool) -> None:
        assert self.closed is None, "closed twice"
        self.closed = ConnectionEnd(ClosedBy.PEER, code, text)
        if not linger:
            self.queues.clear()

    @property
    def under_way(self) -> list[tuple[int, bool]]:
        return sorted(key for key, queue in self.queues.items() if queue)


class Sessions(RuleBasedStateMachine):
    """Everything that the applications and the network can do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ways = Way(), Way()
        self.server = ServerEngine(self.ways[1], CONFIG, self.now)
        self.client = ClientEngine(self.ways[0], CONFIG, b"data", 10.0, self.now)
        self.engines: tuple[Engine, Engine] = self.client, self.server
        self.sent: tuple[dict[int, list[bytes]], ...] = ({}, {})
        self.taken: tuple[dict[int, list[bytes]], ...] = ({}, {})
        self.goodbyes: list[bytes | None] = [None, None]
        self.is_cut = False

    @initialize(established=st.booleans())
    def begin(self, established: bool) -> None:
        if established:
            self.deliver_all()
            self.server.accept(b"welcome", self.now)
            self.deliver_all()
            assert self.client.phase is self.server.phase is Phase.ESTABLISHED

    def deliver(self, way: int, key: tuple[int, bool]) -> None:
        message = self.ways[way].queues[key].popleft()
        self.ways[1 - way].deliver(self.engines[1 - way], message, self.now)
        if self.ways[way].wants_room:
            self.ways[way].wants_room = False
            self.engines[way].flush(self.now)

    def deliver_all(self) -> None:
        while any(way.under_way for way in self.ways):
            for number, way in enumerate(self.ways):
                for key in way.under_way:
                    while way.queues.get(key):
                        self.deliver(number, key)
        for number, way in enumerate(self.ways):
            if way.closed is not None:
                self.engines[1 - number].connection_ended(way.closed, self.now)

    # ---- the network ----

    @precondition(lambda self: any(way.under_way for way in self.ways))
    @rule(choose=st.data())
    def deliver_one(self, choose: st.DataObject) -> None:
        some = [(number, key) for number, way in enumerate(self.ways) for key in way.under_way]
        self.deliver(*choose.draw(st.sampled_from(some)))

    @precondition(lambda self: any(not reliable for way in self.ways for _, reliable in way.under_way))
    @rule(choose=st.data())
    def lose_an_unreliable_one(self, choose: st.DataObject) -> None:
        some = [(way, key) for way in self.ways for key in way.under_way if not key[1]]
        way, key = choose.draw(st.sampled_from(some))
        way.queues[key].popleft()

    @precondition(lambda self: any(way.closed and not way.under_way for way in self.ways))
    @rule()
    def end_the_connection(self) -> None:
        for number, way in enumerate(self.ways):
            if way.closed is not None and not way.under_way:
                self.engines[1 - number].connection_ended(way.closed, self.now)

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for way in self.ways:
            way.now = self.now
        for engine in self.engines:
            if engine.next_tick <= self.now:
                engine.tick(self.now)

    @precondition(lambda self: not self.is_cut)
    @rule()
    def cut(self) -> None:
        self.is_cut = True
        for way in self.ways:
            way.queues.clear()
        for engine in self.engines:
            engine.connection_ended(ConnectionEnd(ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "cut"), self.now)

    # ---- the applications ----

    @precondition(lambda self: self.server.is_undecided)
    @rule(accepts=st.booleans())
    def decide(self, accepts: bool) -> None:
        if accepts:
            self.server.accept(b"welcome", self.now)
        else:
            self.server.reject(CloseReason.REJECTED, 1234, "no", b"", self.now)

    @rule(who=st.integers(0, 1), lane=st.integers(0, LANES - 1), size=st.sampled_from([0, 100, 1_000]))
    def send(self, who: int, lane: int, size: int) -> None:
        engine = self.engines[who]
        if engine.phase in (Phase.ESTABLISHED, Phase.CLOSING) and engine.may_send:
            lanes = self.sent[who].setdefault(lane, [])
            payload = b"%d " % len(lanes) + bytes(max(0, size - 10))
            try:
                number = engine.outbox.put(payload, lane, True)
            except SendQueueFull:
                return
            lanes.append(payload)
            assert number == len(lanes)
            engine.ask_for_room()

    @rule(who=st.integers(0, 1), key=st.sampled_from([None, b"a", b"b"]))
    def send_unreliably(self, who: int, key: bytes | None) -> None:
        engine = self.engines[who]
        if engine.phase is Phase.ESTABLISHED and engine.may_send:
            engine.outbox.put_unreliable(b"state", 0, True, key)
            engine.ask_for_room()

    @rule(who=st.integers(0, 1), count=st.integers(1, 10))
    def take(self, who: int, count: int) -> None:
        engine = self.engines[who]
        if engine.phase is Phase.SETTING_UP:
            return
        for _ in range(count):
            message = take(engine, self.now)
            if message is not None and message.reliable:
                self.taken[who].setdefault(message.lane, []).append(message.data)

    @rule(who=st.integers(0, 1))
    def close(self, who: int) -> None:
        engine = self.engines[who]
        if engine.phase not in (Phase.ESTABLISHED, Phase.CLOSING):
            return
        if self.goodbyes[who] is None and engine.may_send:
            self.goodbyes[who] = b"from %d" % who
        reason = CloseReason.CLOSED_BY_SERVER if who else CloseReason.CLOSED_BY_CLIENT
        engine.close(reason, 1500 + who, f"by {who}", b"from %d" % who, self.now)

    @rule(who=st.integers(0, 1))
    def abort(self, who: int) -> None:
        if not self.now < 2.0:  # not too often
            self.engines[who].abort(2000, "enough", self.now)

    # ---- invariants ----

    @invariant()
    def taken_messages_were_sent(self) -> None:
        for who in (0, 1):
            for lane, taken in self.taken[who].items():
                assert taken == self.sent[1 - who].get(lane, [])[: len(taken)]

    @invariant()
    def no_end_breaks_the_protocol(self) -> None:
        for engine in self.engines:
            if engine.end is not None:
                assert engine.end.reason not in (
                    CloseReason.INVALID_INBOUND_MESSAGE,
                    CloseReason.LOST_MESSAGES,
                    CloseReason.PROTOCOL_ERROR if self.now < 5.0 else None,
                    CloseReason.MESSAGE_QUEUE_LIMIT_REACHED,
                ), engine.end

    @invariant()
    def queues_are_bounded(self) -> None:
        for engine in self.engines:
            assert len(engine.inbox) <= CONFIG.credit_messages + CONFIG.unreliable_queue
            waiting_bytes, waiting = engine.outbox.waiting
            assert waiting <= CONFIG.send_queue_messages
            assert waiting_bytes <= CONFIG.send_queue_bytes + CONFIG.max_message

    @invariant()
    def no_message_overtakes_those_that_wait(self) -> None:
        for engine, way in zip(self.engines, self.ways, strict=True):
            if engine.phase is Phase.CLOSING and not engine.may_send:
                assert way.hold is Hold.ALL
            elif engine.outbox.waiting[1]:
                assert way.hold is Hold.DATA
            elif engine.phase is Phase.ESTABLISHED:
                assert way.hold is Hold.NONE

    @invariant()
    def no_end_is_ok_if_messages_were_lost(self) -> None:
        for who, engine in enumerate(self.engines):
            if engine.end is not None and engine.end.ok:
                assert engine.inbox.received == self.ways[1 - who].numbers
                assert self.engines[1 - who].inbox.received == self.ways[who].numbers
                assert engine.end.undelivered == 0
                assert self.goodbyes_were_exchanged(who)

    def goodbyes_were_exchanged(self, who: int) -> bool:
        """Return whether both ends have said goodbye, as far as this one knows."""
        theirs = self.engines[who].goodbyes.theirs
        return theirs is not None and self.engines[1 - who].goodbyes.is_said

    @invariant()
    def ends_are_final(self) -> None:
        for engine in self.engines:
            assert (engine.phase is Phase.ENDED) == (engine.end is not None)
            assert engine.phase is not Phase.ENDED or engine.next_tick == inf

    def teardown(self) -> None:
        """Whatever has happened, if from now on the applications only read, both ends agree in the end."""
        if not hasattr(self, "engines"):
            return
        for _ in range(400):
            self.deliver_all()
            for who in (0, 1):
                self.take(who, 100)
                if self.engines[who].delivered_end is not None:
                    self.close(who)
            if all(engine.end is not None for engine in self.engines):
                break
            self.wait(0.3)
            if self.engines[0].phase is self.engines[1].phase is Phase.ESTABLISHED:
                self.close(0)
        client, server = (engine.end for engine in self.engines)
        assert client is not None
        assert server is not None
        self.taken_messages_were_sent()
        self.no_end_breaks_the_protocol()
        if not self.is_cut and client.reason is server.reason is CloseReason.CLOSED_BY_CLIENT and client.ok:
            assert (client.code, client.text) == (server.code, server.text)


Sessions.TestCase.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
TestSessions = Sessions.TestCase


def pair() -> tuple[ClientEngine, ServerEngine, Callable[[], None]]:
    """Return both ends of an established session, and a function that delivers everything."""
    machine = Sessions()
    machine.begin(True)
    return machine.client, machine.server, machine.deliver_all


def test_everything_sent_before_a_goodbye_is_taken_before_its_end() -> None:
    client, server, deliver = pair()
    for number in range(20):
        client.outbox.put(b"%d" % number, number % LANES, True)
    client.close(CloseReason.CLOSED_BY_CLIENT, 1000, "bye", b"1", 0.0)
    taken = []
    while server.delivered_end is None:
        deliver()
        while (message := take(server, 0.0)) is not None:
            taken.append(message.data)
    assert sorted(map(int, taken)) == list(range(20))
    server.close(CloseReason.CLOSED_BY_SERVER, 1999 - 200, "", b"2", 0.0)
    deliver()
    assert client.end is not None
    assert server.end is not None
    assert (client.end.data, server.end.data) == (b"2", b"1")
    assert client.end.reason is server.end.reason is CloseReason.CLOSED_BY_CLIENT


@pytest.mark.parametrize("who", [0, 1])
def test_credit_returns_once_a_quarter_of_it_is_handled(who: int) -> None:
    client, server, deliver = pair()
    sender, reader = (client, server) if who == 0 else (server, client)
    for _ in range(CONFIG.credit_messages):
        sender.outbox.put(b"x", 0, True)
    sender.outbox.put(b"waits", 0, True)
    deliver()
    assert len(reader.inbox) == CONFIG.credit_messages
    for waiting in (1, 0):
        assert take(reader, 0.0) is not None
        deliver()
        assert sender.outbox.waiting == (5 * waiting, waiting)
