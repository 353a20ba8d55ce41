"""Durable sessions: a store keeps what another server needs to go on with them. At the end that listens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import NamedTuple

from ..._generated.enums import EndReason
from ...end import ClosedBy
from ...errors import InvalidStateError
from .acks import Acknowledger
from .frames import Ack, Capabilities, Hello, Reject, Resume, Welcome, parse
from .goodbye import PromisedGoodbye
from .inbox import Inbox
from .reasons import CloseReason, SessionEnd, connection_end_text, reason_for_peer
from .server import WRONG_VERSION, ServerEngine, ServerStep, speaks_version
from .state import Phase
from .tokens import SECRET_SIZE, DerivedTokens, token_of
from .transport import Transport
from .violation import Violation

_SIZE_BYTES = 4


class Outgoing(NamedTuple):
    """A reliable message to the client."""

    lane: int
    number: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session has come with a commit, apart from the state of its application."""

    epoch: int = 1
    """The last epoch that the client has confirmed."""
    handled: Mapping[int, int] = field(default_factory=dict)
    """The number of the last message of each lane that the application has taken."""
    handled_bytes: int = 0
    """The bytes of all of those."""
    credit_bytes: int = 0
    """How many bytes the client may send in all."""
    credit_messages: int = 0
    sent: Mapping[int, int] = field(default_factory=dict)
    """The number of the last message to the client on each lane."""
    sent_bytes: int = 0
    """The bytes of all of those."""
    acked: Mapping[int, int] = field(default_factory=dict)
    """The number of the last one on each lane that the client has handled."""
    goodbye: PromisedGoodbye | None = None
    """The server's goodbye, once there is one."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A step of a session that a store has to carry out as a whole, or not at all."""

    number: int
    """Counts the commits of the session, from 1."""
    state: bytes | None
    """The application's; None: as it was."""
    progress: Progress
    outgoing: tuple[Outgoing, ...]
    """The messages to the client since the commit before."""


class VerifiedPeer(NamedTuple):
    """A peer that GNS has verified."""

    identity: str
    key: bytes
    """The public key of its certificate."""


class Setup(NamedTuple):
    """The facts of a session's set-up."""

    secret: bytes
    hello: Hello
    welcome: Welcome
    client: VerifiedPeer | None
    """The client, if GNS has verified it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A session as a store has it."""

    setup: Setup
    commit: int
    """The number of the last commit."""
    owner: int
    """Counts the servers that have had the session, with the one that has it now."""
    progress: Progress
    outgoing: tuple[Outgoing, ...]
    """The messages to the client that it has not handled, as far as ``progress.acked`` says."""


class CommittedAcks(Acknowledger):
    """ACKs that say only what was committed."""

    def __init__(self, inbox: Inbox, transport: Transport, committed: Ack) -> None:
        super().__init__(inbox, transport, committed.credit_bytes, committed.credit_messages)
        self.committed = committed
        """The ACK that says all that was committed."""
        self._is_due = False

    def stage(self) -> Ack:
        """Return what an ACK will say once this was committed."""
        inbox = self._inbox
        inbox.acks_sent = inbox.acks_due
        handled = inbox.handled.copy()
        credit_bytes, credit_messages = self._transport.grant(inbox.acks_sent)
        # An earlier server may have given more.
        return Ack(handled, max(credit_bytes, self._granted[0]), max(credit_messages, self._granted[1]))

    def commit(self, report: Ack) -> None:
        """Have this said by the next ACK."""
        self._is_due = self._is_due or report != self.committed
        self.committed = report
        self._granted = report.credit_bytes, report.credit_messages

    def report(self) -> Ack:
        """See Acknowledger."""
        self._is_due = False
        return self.committed

    def take_due(self, *, asked: bool = False) -> Ack | None:  # noqa: ARG002 - a commit says all that is new
        """See Acknowledger."""
        self._inbox.acks_sent = self._inbox.acks_due
        return self.report() if self._is_due else None


class DurableServerEngine(ServerEngine):
    """The end that listens, of a server with a store: its session may be durable.

    Messages that the application of a durable session has taken are acknowledged, and those that it sends are released,
    by a commit: prepare() returns the step that has to be stored, and committed() says that it was. The engine of
    another server goes on with restore().
    """

    _durable_acks: CommittedAcks | None = None
    _welcome: Welcome | None = None
    _secret = b""
    _commit = 0
    pending: Commit | None = None
    """A commit of which it is not known whether it was carried out."""
    is_restored = False
    """True if the session comes from the store."""
    _is_new_here = False
    _has_promised = False  # the goodbye is committed: it may be said

    # ---- the set-up ----

    def accept_durable(self, data: bytes, now: float) -> None:
        """Accept the session, for the application, as soon as it has an id and is stored().

        Args:
            data: For the client's application.
            now: The time.

        Raises:
            InvalidStateError: There is nothing to accept, or the client cannot resume, or this end does not let it.
        """
        hello = self._check_undecided()
        welcome = self._make_welcome(hello, data)
        if not welcome.capabilities:
            raise InvalidStateError("a durable session needs a resume_window, at both ends")
        self._secret = secrets.token_bytes(SECRET_SIZE)
        self._tokens = DerivedTokens(self._secret)
        self._welcome = replace(
            welcome,
            capabilities=Capabilities.RESUME | Capabilities.DURABLE,
            token=self._tokens.newest,
        )
        self._become_durable(Ack({}, welcome.credit_bytes, welcome.credit_messages))
        self._wait_for(ServerStep.STORING, now + self.config.decision_timeout)

    def identify(self, session_id: bytes, client: VerifiedPeer | None) -> bytes:
        """Give a session that waits to be stored an id, or another one.

        Args:
            session_id: 16 bytes that no other session has.
            client: The client, if GNS has verified it: no other one may resume the session.

        Returns:
            The facts of the set-up that another server has to know.

        Raises:
            InvalidStateError: The session does not wait to be stored.
        """
        if self.step is not ServerStep.STORING or self.hello is None or self._welcome is None:
            raise InvalidStateError("the session does not wait to be stored")
        self._session_id = session_id
        self._welcome = replace(self._welcome, session_id=session_id)
        identity, key = client or VerifiedPeer("", b"")
        parts = [self._secret, self.hello.encode(), self._welcome.encode(), identity.encode(), key]
        return b"".join(map(_with_size, parts))

    def stored(self, now: float) -> None:
        """Tell the client that the session was accepted: the store has it."""
        if self.step is ServerStep.STORING and self.phase is Phase.SETTING_UP and self._welcome is not None:
            self._accept(self._welcome, now)

    def not_stored(self, reason: CloseReason, text: str, now: float) -> None:
        """Reject the session: the store does not have it."""
        if self.step is ServerStep.STORING and self.phase is Phase.SETTING_UP:
            self._now = now
            code = EndReason.INTERNAL_ERROR if reason is CloseReason.INTERNAL_ERROR else EndReason.APP_GENERIC
            self._reject(Reject(reason, code, text, b""))

    def _become_durable(self, committed: Ack) -> None:
        self.is_durable = True
        self._acks = self._durable_acks = CommittedAcks(self.inbox, self.transport, committed)
        self.outbox.wait_for_commits()

    @property
    def is_committed(self) -> bool:
        """True if the application has taken and sent nothing since the last commit."""
        acks = self._durable_acks
        if acks is None:
            return True
        return self.pending is None and self.outbox.is_staged and self.inbox.handled == acks.committed.handled

    # ---- commits ----

    def prepare(self, state: bytes | None) -> Commit:
        """Return what has to be stored, and note it as pending. Nothing may be pending.

        Args:
            state: The application's; None: as it was.

        Raises:
            InvalidStateError: The session is not durable, or something is pending.
        """
        if self._durable_acks is None or self.pending is not None:
            raise InvalidStateError("nothing can be committed now")
        report = self._durable_acks.stage()
        sent, sent_bytes, outgoing = self.outbox.stage()
        progress = Progress(
            epoch=self._tokens.confirmed_epoch,
            handled=report.handled,
            handled_bytes=self.inbox.handled_bytes,
            credit_bytes=report.credit_bytes,
            credit_messages=report.credit_messages,
            sent=sent,
            sent_bytes=sent_bytes,
            acked=self.outbox.acked_numbers,
            goodbye=self.goodbyes.promise(),
        )
        self.pending = Commit(self._commit + 1, state, progress, tuple(Outgoing(*each) for each in outgoing))
        return self.pending

    def prepare_goodbye(self) -> Commit | None:
        """Return what has to be stored before this end says goodbye; None if nothing can be done about it.

        An application that has not closed may still want to commit what it has taken together with its state.
        """
        if self._has_promised and self.is_committed:
            return None
        return None if self._is_read and not self.is_committed else self.prepare(None)

    def committed(self, commit: Commit, now: float) -> None:
        """Take note that the pending commit was stored: acknowledge and send what is in it."""
        if self.pending is not commit or self._durable_acks is None:
            return
        self._now = now
        self.pending = None
        self._commit = commit.number
        progress = commit.progress
        self._durable_acks.commit(Ack(progress.handled, progress.credit_bytes, progress.credit_messages))
        self._has_promised = progress.goodbye is not None
        self.outbox.release(len(commit.outgoing))
        if self.is_connected:
            self._acknowledge()
        self._progress()

    def _may_say_goodbye(self) -> bool:
        return self._has_promised or self._durable_acks is None

    def _has_all_up_to(self, last: Mapping[int, int]) -> bool:
        # An ok at the client promises that all was handled for good: here, or at the next server if this one dies.
        has_all = super()._has_all_up_to(last)
        return has_all and (self._durable_acks is None or self._durable_acks.committed.handled == last)

    @property
    def has_arrived(self) -> bool:
        """True once everything up to the client's goodbye is there, and no one will take it: only to be committed."""
        goodbye = self.goodbyes.theirs
        return goodbye is not None and not self._is_read and self.inbox.received == goodbye.last

    @property
    def agreed_window(self) -> float:
        """Seconds for which the session outlives its connection, also before it is established."""
        return 0.0 if self._welcome is None else self._welcome.resume_window_ms / 1000.0

    def withdraw(self, commit: Commit) -> None:
        """Take note that this was not stored, and never will be: the next commit has it, too."""
        if self.pending is commit:
            self.pending = None
            self.outbox.unstage(len(commit.outgoing))

    def is_newer_owners(self, resume: Resume) -> bool:
        """Return whether another server has the session, as this client shows."""
        return isinstance(self._tokens, DerivedTokens) and self._tokens.is_of_newer_owner(resume.epoch, resume.token)

    def lose(self, reason: CloseReason, text: str, now: float) -> None:
        """End the session here, since the store says so: nothing more is released.

        After FAILED_OVER, which says that it is another server's, its client may go on there.
        """
        if not self.is_durable or self.phase is Phase.ENDED:
            return
        self._now = now
        lost = self._count_undelivered()
        end = SessionEnd(ClosedBy.LOCAL, reason, reason.native_code, text, undelivered=lost, is_confirmed=False)
        self._abort_with(end, reason_for_peer(reason).native_code, connection_end_text(0, text), linger=False)

    def _go_on(self) -> None:
        super()._go_on()
        if self._is_new_here:
            self._is_new_here = False
            self.notices.clear()

    # ---- at another server ----

    def restore(self, saved: Saved, resume: Resume, now: float) -> None:
        """Go on with a session whose client has said RESUME on this connection.

        Raises:
            Violation: That is not possible; nothing has changed. The reason is for the client.
        """
        secret, hello, welcome, _ = saved.setup
        progress = saved.progress
        check_owner(saved, resume)
        check_handled(progress, resume)
        tokens = DerivedTokens(secret)
        if not tokens.begin_ownership(saved.owner, resume.epoch):
            raise Violation("the store has lost who had the session last", CloseReason.LOST_MESSAGES)
        full = self._take_place()  # last: nothing gives the place back
        if full is not None:
            raise Violation(full, CloseReason.RATE_LIMITED)
        self._now = now
        self._session_id, self.hello, self._welcome = welcome.session_id, hello, welcome
        self._tokens = tokens
        self._commit = saved.commit
        self._keep_for_resuming(welcome.resume_window_ms)
        self._become_durable(Ack(progress.handled, progress.credit_bytes, progress.credit_messages))
        self.inbox.restore(progress.handled, progress.handled_bytes)
        outgoing = [each for each in saved.outgoing if each.number > resume.handled.get(each.lane, 0)]
        sent_bytes = progress.sent_bytes - sum(len(each.payload) for each in outgoing)
        totals = sent_bytes, progress.handled_bytes, progress.credit_bytes, progress.credit_messages
        self.transport.continue_from(resume.handled, progress.handled, totals)
        self.outbox.limit(hello.max_message)
        report = Ack(resume.handled, resume.credit_bytes, resume.credit_messages)
        self.outbox.restore(outgoing, report, progress.sent_bytes)
        self.keep_alive.timeout = welcome.ping_timeout_ms / 1000.0
        if progress.goodbye is not None:
            self._keep_promise(progress.goodbye)
        self.is_restored = self._is_new_here = self.was_established = True
        self.step = ServerStep.NOTHING
        reason = CloseReason.FAILED_OVER
        self._drop(SessionEnd(ClosedBy.PROBLEM, reason, reason.native_code, "", is_confirmed=False))
        self.connected(now)
        self.notices.clear()  # this application has not had it before

    def _keep_promise(self, promised: PromisedGoodbye) -> None:
        """Say what the owner before would have said, if its application does not have it to do again."""
        self._has_promised = True
        self._is_read = promised.is_automatic
        self._say_goodbye(promised.goodbye)
        self.goodbyes.keep_promise(promised)


def read_setup(setup: bytes) -> Setup:
    """Return what DurableServerEngine.identify() has packed."""
    parts = []
    while setup:
        size = int.from_bytes(setup[:_SIZE_BYTES], "big")
        parts.append(setup[_SIZE_BYTES : _SIZE_BYTES + size])
        setup = setup[_SIZE_BYTES + size :]
    secret, hello, welcome, identity, key = parts
    client = VerifiedPeer(identity.decode(), key) if key else None
    return Setup(secret, parse(Hello, hello), parse(Welcome, welcome), client)


def _with_size(data: bytes) -> bytes:
    return len(data).to_bytes(_SIZE_BYTES, "big") + data


def check_owner(saved: Saved, resume: Resume) -> None:
    """Check that a client which wants to resume a session has its token, and speaks this version of the protocol.

    Raises:
        Violation: It has or does not.
    """
    if not speaks_version(resume):
        raise Violation(WRONG_VERSION, CloseReason.VERSION_MISMATCH)
    token = token_of(saved.setup.secret, resume.epoch)
    if not compare_digest(token, resume.token) or resume.epoch < saved.progress.epoch:
        raise Violation("the token is not the session's", CloseReason.AUTHENTICATION_FAILED)


def check_handled(progress: Progress, resume: Resume) -> None:
    """Check that what the client has handled fits to what was committed.

    Raises:
        Violation: It does not: the store has lost something.
    """
    for lane in progress.acked.keys() | resume.handled.keys():
        if not progress.acked.get(lane, 0) <= resume.handled.get(lane, 0) <= progress.sent.get(lane, 0):
            raise Violation("the store has lost messages that were sent", CloseReason.LOST_MESSAGES)
