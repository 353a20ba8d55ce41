"""The model of durable sessions: servers that die or are cut off, a store that answers late, twice or not at all.

The application of each server notes what it handles, answers each message, and commits its notes. Whatever happens,
each message is in the notes once, and the client gets each answer once.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.durable_network import DurableNetwork
from support.framing import take
from support.network import Wire

from gns_py.session import CloseReason, SessionConfig
from gns_py.session.protocol.durable import Commit, DurableServerEngine
from gns_py.session.protocol.state import Phase

from .test_resuming_pairs import model

pytestmark = pytest.mark.timeout(600)  # it searches

CONFIG = SessionConfig(
    max_message=1_000,
    credit_bytes=2_000,
    credit_messages=8,
    send_queue_messages=64,
    ping_timeout=None,
    resume_window=1_000.0,
)
LANES = 2


class Application:
    """The application of one server."""

    def __init__(self, engine: DurableServerEngine, owner: int, state: bytes) -> None:
        self.engine = engine
        self.owner = owner
        self.notes = [entry for entry in state.split(b",") if entry]

    def handle(self, now: float, count: int) -> None:
        for _ in range(count):
            message = take(self.engine, now)
            if message is None:
                return
            self.notes.append(message.data)
            self.engine.outbox.put(b"answer to " + message.data, message.lane, True)

    def prepare(self) -> Commit:
        return self.engine.pending or self.engine.prepare(b",".join(self.notes))


class Operation:
    """A commit on its way to the store."""

    def __init__(self, application: Application, commit: Commit) -> None:
        self.application = application
        self.commit = commit
        self.result: bool | None = None


class DurableSessions(RuleBasedStateMachine):
    """Everything that can happen to a session, its servers and their store."""

    def __init__(self) -> None:
        super().__init__()
        self.net = DurableNetwork(CONFIG)
        self.sent: dict[int, list[bytes]] = {lane: [] for lane in range(LANES)}
        self.taken: dict[int, list[bytes]] = {lane: [] for lane in range(LANES)}
        self.present = Application(self.net.durable, 0, b"")
        self.cut_off: list[Application] = []
        self.operations: list[Operation] = []

    # ---- the client, and the network ----

    @rule(lane=st.integers(0, LANES - 1), count=st.sampled_from([1, 2, 9]))
    def send(self, lane: int, count: int) -> None:
        client = self.net.client
        for _ in range(count):
            if client.outbox.waiting[1] < 32:
                data = b"%d:%d" % (lane, len(self.sent[lane]))
                client.outbox.put(data, lane, True)
                self.sent[lane].append(data)
        client.flush(self.net.now)

    @rule(count=st.integers(1, 10))
    def client_takes(self, count: int) -> None:
        for _ in range(count):
            message = take(self.net.client, self.net.now)
            if message is None:
                return
            self.taken[message.lane].append(message.data)

    @rule(choose=st.data(), count=st.sampled_from([1, 3, 30]))
    def deliver(self, choose: st.DataObject, count: int) -> None:
        self.net.deliver(count, lambda some: choose.draw(st.sampled_from(some)))

    @rule()
    def resume_at_the_same_server(self) -> None:
        self.net.client.reconnect(self.net.now)
        self.net.connect()

    # ---- the servers, and the store ----

    @rule(count=st.integers(1, 6))
    def serve(self, count: int) -> None:
        self.present.handle(self.net.now, count)

    @rule()
    def begin_commit(self) -> None:
        self.operations.append(Operation(self.present, self.present.prepare()))

    @rule(answers=st.lists(st.sampled_from(["ok", "late", "none"]), min_size=1, max_size=3))
    def serve_and_commit(self, answers: list[str]) -> None:
        """Let the server serve and commit again and again; the store may carry out what it does not answer."""
        for answer in answers:
            self.present.handle(self.net.now, 2)
            operation = Operation(self.present, self.present.prepare())
            if answer == "none":
                self.operations.append(operation)
                continue
            assert self.net.kept.carry_out(operation.commit, self.present.owner)
            if answer == "ok":
                self.present.engine.committed(operation.commit, self.net.now)

    @precondition(lambda self: self.cut_off)
    @rule(choose=st.data(), is_answered=st.booleans())
    def a_server_that_is_cut_off_goes_on(self, choose: st.DataObject, is_answered: bool) -> None:
        application = choose.draw(st.sampled_from(self.cut_off))
        if application.engine.end is None:
            application.handle(self.net.now, 3)
            operation = Operation(application, application.prepare())
            if is_answered:
                operation.result = self.net.kept.carry_out(operation.commit, application.owner)
                self.take_answer(operation)
            else:
                self.operations.append(operation)

    @precondition(lambda self: self.operations)
    @rule(choose=st.data())
    def carry_out(self, choose: st.DataObject) -> None:
        """Let the store carry out an operation, perhaps for the second time, perhaps much later."""
        operation = choose.draw(st.sampled_from(self.operations))
        operation.result = self.net.kept.carry_out(operation.commit, operation.application.owner)

    @precondition(lambda self: any(each.result is not None for each in self.operations))
    @rule(choose=st.data(), is_lost=st.booleans())
    def answer(self, choose: st.DataObject, is_lost: bool) -> None:
        operation = choose.draw(st.sampled_from([each for each in self.operations if each.result is not None]))
        if is_lost:
            return
        self.operations.remove(operation)
        self.take_answer(operation)

    def take_answer(self, operation: Operation) -> None:
        engine = operation.application.engine
        if operation.result:
            engine.committed(operation.commit, self.net.now)
        else:
            engine.lose(CloseReason.FAILED_OVER, "", self.net.now)

    @rule(is_cut_off=st.booleans())
    def fail_over(self, is_cut_off: bool) -> None:
        """Let the client find another server: the one before has died, or is only cut off from it."""
        before = self.present
        if is_cut_off:
            self.cut_off.append(before)
        self.net.newcomers = [None, None]
        self.net.handshakes.clear()
        self.net.fail_over()
        self.present = Application(self.net.durable, self.net.kept.owner, self.net.kept.state)

    # ---- invariants ----

    @invariant()
    def each_answer_arrives_once_and_in_order(self) -> None:
        for lane in range(LANES):
            answers = [b"answer to " + data for data in self.sent[lane]]
            assert self.taken[lane] == answers[: len(self.taken[lane])]

    @invariant()
    def each_message_is_noted_once_and_in_order(self) -> None:
        for notes in (self.present.notes, self.net.kept.state.split(b",")):
            for lane in range(LANES):
                noted = [entry for entry in notes if entry.startswith(b"%d:" % lane)]
                assert noted == self.sent[lane][: len(noted)]

    @invariant()
    def only_what_is_stored_is_acknowledged(self) -> None:
        stored = self.net.kept.progress.handled
        for lane, number in self.net.client.outbox.acked_numbers.items():
            assert number <= stored.get(lane, 0)

    @invariant()
    def only_what_is_stored_is_released(self) -> None:
        stored = self.net.kept.progress.sent
        for application in (self.present, *self.cut_off):
            wire = application.engine.transport
            assert isinstance(wire, Wire)
            for lane, number in wire.numbers.items():
                assert number <= stored.get(lane, 0)

    @invariant()
    def neither_end_fails(self) -> None:
        assert self.net.client.end is None
        assert self.present.engine.end is None

    def teardown(self) -> None:
        """Let everything come to rest: nothing is lost."""
        self.fail_over(False)
        for _ in range(50):
            self.net.settle()
            self.present.handle(self.net.now, 100)
            commit = self.present.prepare()
            assert self.net.kept.carry_out(commit, self.present.owner)
            self.present.engine.committed(commit, self.net.now)
            self.net.settle()
            self.client_takes(100)
        assert self.net.client.phase is self.present.engine.phase is Phase.ESTABLISHED
        for lane in range(LANES):
            assert self.taken[lane] == [b"answer to " + data for data in self.sent[lane]]
        for application in self.cut_off:
            if application.engine.end is None:
                assert not self.net.kept.carry_out(application.prepare(), application.owner)


DurableSessions.TestCase.settings = model(200)
TestDurableSessions = DurableSessions.TestCase
