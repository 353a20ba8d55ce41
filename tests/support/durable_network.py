"""A client, servers that share a store, and a network that the test drives."""

from __future__ import annotations

from collections.abc import Callable

from gns_py.session import SessionConfig
from gns_py.session.protocol.durable import Commit, DurableServerEngine, Outgoing, Progress, Saved, read_setup
from gns_py.session.protocol.frames import Resume
from gns_py.session.protocol.state import Phase

from .network import CLIENT, SERVER, Key, Link, Network, Wire

CONFIG = SessionConfig(credit_bytes=1_000, credit_messages=8, ping_timeout=None)


class Store:
    """A store with one session."""

    def __init__(self, setup: bytes, config: SessionConfig) -> None:
        self.setup = setup
        self.owner = 0
        self.commit = 0
        self.state = b""
        self.progress = Progress(credit_bytes=config.credit_bytes, credit_messages=config.credit_messages)
        self.outgoing: list[Outgoing] = []

    def carry_out(self, commit: Commit, owner: int | None = None) -> bool:
        """Carry out a commit, unless it was; return False if it is another owner's than the present one's."""
        if owner is not None and owner != self.owner:
            return False
        if commit.number <= self.commit:  # it was
            return True
        assert commit.number == self.commit + 1
        self.commit, self.progress = commit.number, commit.progress
        self.state = self.state if commit.state is None else commit.state
        self.outgoing += commit.outgoing
        acked = commit.progress.acked
        self.outgoing = [each for each in self.outgoing if each.number > acked.get(each.lane, 0)]
        return True

    def claim(self) -> Saved:
        self.owner += 1
        return self.saved()

    def saved(self) -> Saved:
        return Saved(read_setup(self.setup), self.commit, self.owner, self.progress, tuple(self.outgoing))


class DurableNetwork(Network):
    """A client, servers that die, and a store."""

    def __init__(self, config: SessionConfig = CONFIG) -> None:
        self.store: Store | None = None
        super().__init__(config)

    def make_server(self, wire: Wire) -> DurableServerEngine:
        return DurableServerEngine(wire, self.config, self.now)

    def accept(self) -> None:
        server = self.durable
        server.accept_durable(b"welcome", self.now)
        self.store = Store(server.identify(b"0123456789abcdef", None), self.config)
        server.stored(self.now)

    @property
    def durable(self) -> DurableServerEngine:
        assert isinstance(self.server, DurableServerEngine)
        return self.server

    @property
    def kept(self) -> Store:
        assert self.store is not None
        return self.store

    def commit(self, state: bytes | None = None) -> None:
        commit = self.durable.prepare(state)
        self.kept.carry_out(commit)
        self.durable.committed(commit, self.now)

    def deliver(self, count: int, choose: Callable[[list[tuple[Link, int, Key]]], tuple[Link, int, Key]]) -> None:
        """Let some messages arrive, each one chosen from those under way, and be handled."""
        for _ in range(count):
            if some := self.under_way():
                self.arrive(*choose(some))
        for who in (CLIENT, SERVER):
            while self.mailboxes[who]:
                self.handle(who)

    def fail_over(self) -> None:
        """Let the server die; the client goes to another one, which goes on."""
        self.wires[CLIENT].link.is_cut = True
        self.mailboxes[SERVER].clear()
        while self.client.phase is not Phase.DROPPED:
            assert self.client.end is None, "the client ends at a failover"
            self.hear_the_end(self.wires[CLIENT].link, CLIENT)
            while self.mailboxes[CLIENT]:
                self.handle(CLIENT)
        link = self.connect()
        self.settle_until_resume(link)
        resume = self.handshakes[link].resume
        assert resume is not None
        self.take_over(link, resume)

    def settle_until_resume(self, link: Link) -> None:
        while self.mailboxes[CLIENT]:
            self.handle(CLIENT)
        self.handshakes[link].receive(link.queues[CLIENT][0, True].popleft(), self.now)

    def take_over(self, link: Link, resume: Resume) -> None:
        server = self.handshakes.pop(link)
        assert isinstance(server, DurableServerEngine)
        wire = server.transport
        assert isinstance(wire, Wire)
        self.wires = self.wires[CLIENT], wire
        self.server = server
        self.engines = self.client, server
        server.restore(self.kept.claim(), resume, self.now)
