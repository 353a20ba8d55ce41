"""A client and a server, whose session goes from one connection to the next over a network that the test drives."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gns_py import ClosedBy, ConnectionEnd, EndReason
from gns_py.errors import SendQueueFull
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.reasons import end_of_connection
from gns_py.session.protocol.resuming import ResumableEngine
from gns_py.session.protocol.server import ServerEngine, ServerStep
from gns_py.session.protocol.state import Phase
from support.framing import Arrival, Framing, hand_over

CLIENT, SERVER = 0, 1
Key = tuple[int, bool]  # a lane, reliable or not


class Link:
    """One connection. Messages wait here, in a queue for each lane, reliable and unreliable."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.queues: tuple[dict[Key, deque[Message]], ...] = ({}, {})
        self.counts = [0, 0]
        self.closed: list[ConnectionEnd | None] = [None, None]
        """How each end has closed it, as the other one will see it."""
        self.lingers = [False, False]
        self.has_ended = [False, False]
        """True for each end that knows it."""
        self.is_cut = False

    def under_way(self, sender: int) -> list[Key]:
        """Return the queues from which something can arrive."""
        if self.is_cut or self.has_ended[1 - sender]:
            return []
        return sorted(key for key, queue in self.queues[sender].items() if queue)

    def can_hear_the_end(self, who: int) -> bool:
        """Return whether this end can notice now that the connection has ended."""
        if self.has_ended[who]:
            return False
        if self.is_cut:
            return True
        return self.closed[1 - who] is not None and not (self.lingers[1 - who] and self.under_way(1 - who))

    def hear_the_end(self, who: int) -> ConnectionEnd:
        """Let this end notice it."""
        self.has_ended[who] = True
        closed = self.closed[1 - who]
        if self.is_cut or closed is None:
            return ConnectionEnd(ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "cut")
        return closed


class Wire(Framing):
    """The transport of one end: one link after another."""

    def __init__(self, link: Link, who: int, room: int = 10, most_kept: int | None = None) -> None:
        super().__init__()
        self.room = room
        """How many messages may be under way, since GNS's own queue is bounded."""
        self.link = link
        self.who = who
        self.wants_room = False
        self._most_kept = most_kept

    def switch(self, link: Link) -> None:
        self.link = link
        self.wants_room = False

    def keep(self, max_bytes: int, max_messages: int) -> None:
        super().keep(max_bytes, max_messages if self._most_kept is None else self._most_kept)

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:  # noqa: ARG002
        link, who = self.link, self.who
        if link.has_ended[who]:
            return 0
        if sum(map(len, link.queues[who].values())) >= self.room:
            raise SendQueueFull
        link.counts[who] += 1
        number = link.counts[who]
        link.queues[who].setdefault((lane, reliable), deque()).append(Message(message, number, lane, reliable, 0))
        return number

    def request_room_event(self) -> None:
        self.wants_room = True

    def close(self, code: int, text: str, linger: bool) -> None:
        link, who = self.link, self.who
        if link.has_ended[who]:
            return
        link.has_ended[who] = True
        link.closed[who] = ConnectionEnd(ClosedBy.PEER, code, text)
        link.lingers[who] = linger


@dataclass
class Marker:
    """Nothing of an earlier connection is left in the mailbox behind this."""

    link: Link


class Network:
    """Both ends of an established session, and everything between them: what the APIs do, without threads.

    Messages go through the mailbox of each end: unpacked at arrival, handled later.
    """

    def __init__(self, config: SessionConfig, room: int = 10, most_kept: int | None = None) -> None:
        self.now = 0.0
        self.config = config
        self.links = [Link(0)]
        self.wires = Wire(self.links[0], CLIENT, room, most_kept), Wire(self.links[0], SERVER, room, most_kept)
        self.server = self.make_server(self.wires[SERVER])
        self.client = ClientEngine(self.wires[CLIENT], config, b"data", 10.0, self.now)
        self.engines: tuple[ResumableEngine, ResumableEngine] = self.client, self.server
        self.mailboxes: tuple[deque[tuple[Link, Arrival | ConnectionEnd | Marker]], ...] = (deque(), deque())
        self.newcomers: list[Link | None] = [None, None]
        self.handshakes: dict[Link, ServerEngine] = {}
        self.settle()
        self.accept()
        self.settle()
        assert self.client.phase is self.server.phase is Phase.ESTABLISHED

    def make_server(self, wire: Wire) -> ServerEngine:
        return ServerEngine(wire, self.config, self.now)

    def accept(self) -> None:
        """Accept the session, as the server's application."""
        self.server.accept(b"welcome", self.now)

    # ---- messages ----

    def under_way(self) -> list[tuple[Link, int, Key]]:
        """Return what can arrive: of which link, sent by which end, from which queue.

        The rest of an older attempt of the client does not, after a newer one has begun: the client has aborted it, and
        the newer one has taken at least a round trip by then.
        """
        begun = max(link.number for link in self.links if link.counts[CLIENT] or link.number == 0)
        return [
            (link, who, key)
            for link in self.links
            for who in (CLIENT, SERVER)
            if who == SERVER or link.number >= begun
            for key in link.under_way(who)
        ]

    def arrive(self, link: Link, sender: int, key: Key) -> None:
        """Let one message arrive."""
        message = link.queues[sender][key].popleft()
        receiver = 1 - sender
        handshake = self.handshakes.get(link) if receiver == SERVER else None
        if handshake is not None:
            handshake.receive(message, self.now)
            self._claim(link, handshake)
        else:
            wire = self.wires[receiver]
            arrival: Arrival | None = Arrival(message, is_unpacked=False)
            if wire.link is link:
                arrival = wire.unpack(message, self.now)
            if arrival is not None:
                self.mailboxes[receiver].append((link, arrival))
        wire = self.wires[sender]
        if wire.link is link and wire.wants_room:
            wire.wants_room = False
            self.engines[sender].flush(self.now)

    def handle(self, who: int) -> None:
        """Let an end take one thing from its mailbox."""
        link, item = self.mailboxes[who].popleft()
        if isinstance(item, Marker):
            self._adopt(who, link)
        elif link is not self.wires[who].link:
            if link is self.newcomers[who] and isinstance(item, ConnectionEnd):
                self._lose_newcomer(who, item)
        elif isinstance(item, ConnectionEnd):
            self.engines[who].connection_ended(item, self.now)
        else:
            hand_over(self.engines[who], item, self.now)

    def hear_the_end(self, link: Link, who: int) -> None:
        """Let an end notice the end of a link."""
        end = link.hear_the_end(who)
        handshake = self.handshakes.get(link) if who == SERVER else None
        if handshake is not None:
            handshake.connection_ended(end, self.now)
        else:
            self.mailboxes[who].append((link, end))

    # ---- connections ----

    @property
    def newest(self) -> Link:
        return self.links[-1]

    def connect(self) -> Link:
        """Give the client, whose session is dropped, another connection."""
        link = Link(len(self.links))
        self.links.append(link)
        self.handshakes[link] = self.make_server(Wire(link, SERVER))
        self._bring(CLIENT, link)
        return link

    def _bring(self, who: int, link: Link) -> None:
        self.give_up_newcomer(who)
        self.newcomers[who] = link
        self.mailboxes[who].append((link, Marker(link)))

    def give_up_newcomer(self, who: int) -> None:
        link, self.newcomers[who] = self.newcomers[who], None
        if link is not None:
            self._close(link, who, CloseReason.SESSION_TAKEN_OVER)

    def _claim(self, link: Link, handshake: ServerEngine) -> None:
        if handshake.step is not ServerStep.RESUME or handshake.resume is None:
            return
        if handshake.resume.session_id != self.server.session_id or self.server.phase is Phase.ENDED:
            handshake.refuse_resume(CloseReason.SESSION_EXPIRED, "there is no such session", self.now)
            return
        refusal = self.server.claim(handshake.resume, self.now)
        if refusal is not None:
            handshake.refuse_resume(*refusal, self.now)
            return
        handshake.hand_over(self.now)
        del self.handshakes[link]
        self._bring(SERVER, link)

    def _adopt(self, who: int, link: Link) -> None:
        engine = self.engines[who]
        if self.newcomers[who] is not link or engine.phase is not Phase.DROPPED:
            self._close(link, who, CloseReason.SESSION_TAKEN_OVER)
            return
        self.newcomers[who] = None
        wire = self.wires[who]
        self._close(wire.link, who, CloseReason.CONNECTION_LOST if who == CLIENT else CloseReason.SESSION_TAKEN_OVER)
        wire.switch(link)
        engine.connected(self.now)

    def _lose_newcomer(self, who: int, end: ConnectionEnd) -> None:
        self.newcomers[who] = None
        if who == CLIENT:
            self.client.attempt_failed(end_of_connection(end, is_client=True), self.now)

    def _close(self, link: Link, who: int, reason: CloseReason) -> None:
        Wire(link, who).close(reason.native_code, "0000", linger=False)

    # ---- time ----

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for wire in self.wires:
            wire.now = self.now
        for engine in (*self.engines, *self.handshakes.values()):
            if engine.next_tick <= self.now:
                engine.tick(self.now)

    def settle(self) -> None:
        """Let everything that is under way arrive and be handled."""
        for _ in range(100_000):
            if some := self.under_way():
                self.arrive(*some[0])
            elif any(self.mailboxes):
                self.handle(CLIENT if self.mailboxes[CLIENT] else SERVER)
            elif ends := [(link, who) for link in self.links for who in (0, 1) if link.can_hear_the_end(who)]:
                self.hear_the_end(*ends[0])
            else:
                return
        raise AssertionError("it does not settle")

    def epochs(self) -> tuple[int, int]:
        """Return the epochs that both ends know."""
        return self.client._epoch, self.server._tokens.epoch  # noqa: SLF001
