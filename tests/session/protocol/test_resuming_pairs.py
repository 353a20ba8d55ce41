"""The model of resuming: two engines over a network that drops connections, loses what is on them, and connects again.

The machine of test_engine_pairs.py has the set-up and the life on one connection; here every session is established.
"""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from support.framing import take
from support.network import CLIENT, Network

from gns_py import ClosedBy
from gns_py.errors import SendQueueFull
from gns_py.session import CloseReason
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.reasons import SessionEnd
from gns_py.session.protocol.resuming import Dropped, Resumed
from gns_py.session.protocol.state import Phase
from gns_py.session.protocol.transport import Hold

pytestmark = pytest.mark.timeout(600)  # it searches

CONFIG = SessionConfig(
    max_message=1_000,
    credit_bytes=2_000,
    credit_messages=8,
    send_queue_bytes=4_000,
    send_queue_messages=16,
    unreliable_queue=4,
    ping_timeout=3.0,
    close_timeout=5.0,
    resume_window=20.0,
)
LANES = 3
ROOM, MOST_KEPT = 4, 7
WHO = st.integers(0, 1)
FAULTS = (
    CloseReason.INVALID_INBOUND_MESSAGE,
    CloseReason.LOST_MESSAGES,
    CloseReason.MESSAGE_QUEUE_LIMIT_REACHED,
    CloseReason.AUTHENTICATION_FAILED,
    CloseReason.SESSION_TAKEN_OVER,
    CloseReason.INTERNAL_ERROR,
    CloseReason.RATE_LIMITED,
)


class Sessions(RuleBasedStateMachine):
    """Everything that the applications and the network can do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Network(CONFIG, ROOM, MOST_KEPT)
        self.sent: tuple[dict[int, list[bytes]], ...] = ({}, {})
        self.taken: tuple[dict[int, list[bytes]], ...] = ({}, {})
        self.ends: list[SessionEnd | None] = [None, None]
        self.epochs = self.net.epochs()
        self.keyed = [0, 0]
        self.has_closed = [False, False]
        self.outages: list[list[type]] = [[], []]

    # ---- the network ----

    @precondition(lambda self: self.net.under_way())
    @rule(choose=st.data(), count=st.sampled_from([1, 3, 30]))
    def deliver(self, choose: st.DataObject, count: int) -> None:
        for _ in range(count):
            if not (some := self.net.under_way()):
                return
            sender = self.arrive_one(choose.draw(st.sampled_from(some)))
            self.handle_all(1 - sender)

    @precondition(lambda self: self.net.under_way())
    @rule(choose=st.data())
    def arrive(self, choose: st.DataObject) -> None:
        self.arrive_one(choose.draw(st.sampled_from(self.net.under_way())))

    def arrive_one(self, one: Any) -> int:
        self.net.arrive(*one)
        return int(one[1])

    @rule(who=WHO)
    def handle(self, who: int) -> None:
        if self.net.mailboxes[who]:
            self.net.handle(who)

    def handle_all(self, who: int) -> None:
        while self.net.mailboxes[who]:
            self.net.handle(who)

    @rule(choose=st.data())
    def lose_an_unreliable_one(self, choose: st.DataObject) -> None:
        some = [each for each in self.net.under_way() if not each[2][1]]
        if some:
            link, sender, key = choose.draw(st.sampled_from(some))
            link.queues[sender][key].popleft()

    @rule()
    def cut(self) -> None:
        self.net.newest.is_cut = True

    @rule(choose=st.data())
    def hear_an_end(self, choose: st.DataObject) -> None:
        some = [(link, who) for link in self.net.links for who in (0, 1) if link.can_hear_the_end(who)]
        if some:
            self.net.hear_the_end(*choose.draw(st.sampled_from(some)))

    @rule(server_notices=st.booleans(), frames=st.integers(0, 12), reader=st.sampled_from([None, 0, 1]))
    def outage(self, server_notices: bool, frames: int, reader: int | None = None) -> None:
        """Cut the connection, and let the client have another one, on which some frames arrive."""
        self.cut()
        for who in (0, 1) if server_notices else (0,):
            if self.net.newest.can_hear_the_end(who):
                self.net.hear_the_end(self.net.newest, who)
            self.handle_all(who)
        if self.net.client.phase is Phase.DROPPED:
            self.net.connect()
            self.handle_all(CLIENT)
            for _ in range(frames):
                if some := [each for each in self.net.under_way() if each[0] is self.net.newest]:
                    self.handle_all(1 - self.arrive_one(some[0]))
        if reader is not None:
            self.take(reader, 10)

    @precondition(lambda self: self.net.client.phase is Phase.DROPPED)
    @rule()
    def connect(self) -> None:
        self.net.connect()

    @precondition(lambda self: self.net.client.phase is Phase.DROPPED)
    @rule()
    def fail_to_connect(self) -> None:
        reason = CloseReason.CONNECTION_LOST
        end = SessionEnd(ClosedBy.PROBLEM, reason, reason.native_code, "no answer", is_confirmed=False)
        self.net.client.attempt_failed(end, self.net.now)

    @rule()
    def reconnect(self) -> None:
        self.net.client.reconnect(self.net.now)

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0]))
    def wait(self, seconds: float) -> None:
        self.net.wait(seconds)

    # ---- the applications ----

    @rule(
        who=WHO,
        lane=st.integers(0, LANES - 1),
        size=st.sampled_from([0, 0, 100, 1_000]),
        count=st.sampled_from([1, 3, 12]),
    )
    def send(self, who: int, lane: int, size: int, count: int) -> None:
        engine, wire = self.net.engines[who], self.net.wires[who]
        for _ in range(count):
            if not engine.may_send:
                return
            lanes = self.sent[who].setdefault(lane, [])
            payload = b"%d %d " % (lane, len(lanes)) + bytes(max(0, size - 10))
            number = None
            try:
                if wire.hold is Hold.NONE:  # as an application's thread does
                    number = wire.send_data(payload, lane, True)
            except SendQueueFull:
                pass
            try:
                if number is None:
                    number = engine.outbox.put(payload, lane, True)
            except SendQueueFull:
                return
            lanes.append(payload)
            assert number == len(lanes)
            engine.ask_for_room()

    @rule(who=WHO, key=st.sampled_from([None, b"a"]))
    def send_unreliably(self, who: int, key: bytes | None) -> None:
        engine = self.net.engines[who]
        if engine.may_send:
            if key is not None:
                self.keyed[who] += 1
            engine.outbox.put_unreliable(b"%d" % self.keyed[who], 0, True, key)
            engine.ask_for_room()

    @rule(who=WHO)
    def fill(self, who: int) -> None:
        """Let an application send more than its peer takes, and all of it arrive that can."""
        self.send(who, 0, 0, 12)
        self.net.settle()

    @rule(who=WHO, count=st.integers(1, 10))
    def take(self, who: int, count: int) -> None:
        engine = self.net.engines[who]
        for _ in range(0 if self.has_closed[who] else count):
            message = take(engine, self.net.now)
            if message is None:
                return
            if message.reliable:
                self.taken[who].setdefault(message.lane, []).append(message.data)

    @rule(who=WHO, unless=st.integers(0, 3))
    def close_now_and_then(self, who: int, unless: int) -> None:
        if not unless:
            self.close(who)

    @rule(first=WHO, unless=st.integers(0, 3), frames=st.integers(0, 12), at_once=st.booleans())
    def say_both_goodbyes(self, first: int, unless: int, frames: int, at_once: bool) -> None:
        """Let both applications close, and cut the connection in the middle of the exchange."""
        if unless:
            return
        self.close(first)
        if not at_once:
            self.net.settle()
        self.close(1 - first)
        for _ in range(frames):
            if some := self.net.under_way():
                self.handle_all(1 - self.arrive_one(some[0]))
        self.outage(True, frames % 4)

    def close(self, who: int) -> None:
        self.has_closed[who] = True
        reason = CloseReason.CLOSED_BY_SERVER if who else CloseReason.CLOSED_BY_CLIENT
        self.net.engines[who].close(reason, 1_000, f"{who}", b"data", self.net.now)

    # ---- invariants ----

    @invariant()
    def each_message_is_handled_once_and_in_order(self) -> None:
        for who in (0, 1):
            for lane, taken in self.taken[who].items():
                assert taken == self.sent[1 - who].get(lane, [])[: len(taken)]

    @invariant()
    def no_end_has_a_fault(self) -> None:
        for engine in self.net.engines:
            assert engine.end is None or engine.end.reason not in FAULTS, engine.end

    @invariant()
    def an_ok_end_keeps_its_promise(self) -> None:
        """Everything from this end has arrived at the peer, where it is taken or can be; and the other way round.

        Messages that a peer has not taken can still be read there, unless its application had closed.
        """
        for who, engine in enumerate(self.net.engines):
            if engine.end is not None and engine.end.ok:
                peer, wires = self.net.engines[1 - who], self.net.wires
                assert engine.inbox.received == wires[1 - who].numbers
                assert peer.inbox.received == wires[who].numbers
                assert engine.end.undelivered == 0
                assert engine.goodbyes.theirs is not None
                assert peer.goodbyes.theirs is not None
                assert not wires[who].kept

    @invariant()
    def there_is_one_end(self) -> None:
        for who, engine in enumerate(self.net.engines):
            assert (engine.phase is Phase.ENDED) == (engine.end is not None)
            if engine.phase is Phase.ENDED:
                assert engine.next_tick == inf
                self.ends[who] = self.ends[who] or engine.end
                assert engine.end is self.ends[who]

    @invariant()
    def epochs_rise(self) -> None:
        epochs = self.net.epochs()
        assert epochs[0] <= epochs[1]
        assert epochs[0] >= self.epochs[0]
        assert epochs[1] >= self.epochs[1]
        client, server = self.net.engines
        if client.is_connected and server.is_connected and client.transport.link is server.transport.link:  # type: ignore[attr-defined]
            assert epochs[0] == epochs[1]
        self.epochs = epochs

    @invariant()
    def queues_are_bounded(self) -> None:
        for who, engine in enumerate(self.net.engines):
            wire = self.net.wires[who]
            assert len(engine.inbox) <= CONFIG.credit_messages + CONFIG.unreliable_queue
            waiting_bytes, waiting = engine.outbox.waiting
            assert waiting <= CONFIG.send_queue_messages
            assert waiting_bytes <= CONFIG.send_queue_bytes + CONFIG.max_message
            assert len(wire.kept) <= MOST_KEPT
            if engine.phase is not Phase.ENDED:
                assert len(wire.kept) + waiting == engine.outbox.unacked or wire.again is not None

    @invariant()
    def no_message_overtakes_those_that_wait(self) -> None:
        for who, engine in enumerate(self.net.engines):
            if engine.phase is Phase.ENDED:
                continue
            hold = self.net.wires[who].hold
            if not engine.may_send:
                assert hold is Hold.ALL
            else:
                assert (hold is Hold.DATA) == bool(engine.outbox.waiting[1])

    @invariant()
    def outages_begin_and_end(self) -> None:
        for who, engine in enumerate(self.net.engines):
            outages = self.outages[who]
            outages += [type(notice) for notice in engine.notices]
            engine.notices.clear()
            assert outages == [Dropped, Resumed] * (len(outages) // 2) + [Dropped] * (len(outages) % 2)
            assert engine.drops == (len(outages) + 1) // 2

    # ---- the end of each example ----

    def heal(self) -> None:
        """From now on the network works, and the client gets a connection when it needs one; no time passes."""
        for _ in range(50):
            self.net.settle()
            for who in (0, 1):
                self.take(who, 1_000)
            client = self.net.client
            if client.phase is Phase.DROPPED and self.net.newcomers[CLIENT] is None:
                self.net.connect()
            elif not self.net.under_way() and not any(self.net.mailboxes):
                return
        raise AssertionError("it does not settle")

    def finish_the_past(self) -> None:
        """Handle what has arrived, and let arrive what the client had sent before it gave a connection up.

        An end that ends by it may have no connection left on which its last confirmation can reach the other one.
        """
        for who in (CLIENT, 1 - CLIENT):
            self.handle_all(who)
        is_dropped = self.net.client.phase is Phase.DROPPED
        while rest := [
            each for each in self.net.under_way() if each[1] == CLIENT and (is_dropped or each[0].has_ended[CLIENT])
        ]:
            self.handle_all(1 - self.arrive_one(rest[0]))

    def teardown(self) -> None:
        """Whatever has happened, both ends agree; if both live, and the network works, nothing at all is lost."""
        self.finish_the_past()
        engines = self.net.engines
        are_alive = all(engine.end is None for engine in engines)
        are_open = are_alive and all(engine.may_send and engine.goodbyes.theirs is None for engine in engines)
        for link in self.net.links:
            for who in (0, 1):
                if link.is_cut and link.can_hear_the_end(who):
                    self.net.hear_the_end(link, who)
        self.heal()
        if are_open:
            for who in (0, 1):
                assert engines[who].phase is Phase.ESTABLISHED, engines[who].end
                assert self.taken[1 - who] == {lane: each for lane, each in self.sent[who].items() if each}
            self.close(0)
        for _ in range(300):
            self.heal()
            for who in (0, 1):
                if engines[who].delivered_end is not None:
                    self.close(who)
            self.net.settle()
            if all(engine.end is not None for engine in engines):
                break
            self.net.wait(0.3)
        ends = [engine.end for engine in engines]
        assert ends[0] is not None
        assert ends[1] is not None
        if are_alive:
            assert ends[0].ok, ends
            assert ends[1].ok, ends
        for check in (self.each_message_is_handled_once_and_in_order, self.no_end_has_a_fault, self.there_is_one_end):
            check()
        self.an_ok_end_keeps_its_promise()


def model(examples: int, *steps: Step) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=steps or tuple(Step),
    )


class Farewells(Sessions):
    """The sessions of the model, where both applications close at the beginning: what is rare elsewhere is not here."""

    def __init__(self) -> None:
        super().__init__()
        for who in (0, 1):
            self.close(who)


def find_fault(machine: type[RuleBasedStateMachine], examples: int, error: type[Exception]) -> None:
    """Expect that a machine finds the fault that was planted: with this error, and at most that many examples."""
    rules = settings(model(examples, Step.generate), derandomize=True, report_multiple_bugs=False)
    with pytest.raises(error):
        run_state_machine_as_test(machine, settings=rules)


Sessions.TestCase.settings = model(400)
TestSessions = Sessions.TestCase
Farewells.TestCase.settings = settings(model(400), stateful_step_count=25)
TestFarewells = Farewells.TestCase
