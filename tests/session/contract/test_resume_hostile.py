"""A client that resumes in the wrong way, or what is not its own, harms its own session at the most."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import UnionType
from typing import Any

import pytest
from support import PATIENCE, eventually
from support.sessions import SessionApi, engine_of

import gns_py.sync as gns
from gns_py.session import AdmissionRules, CloseReason, Phase
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Ack, Bye, ByeAck, Data, Frame, Hello, Ping, Resume, Resumed, ResumeFailed
from gns_py.session.sync import Session, SessionClosed, SessionConfig

TIMEOUT = 5.0 * PATIENCE
CONFIG = SessionConfig(credit_bytes=1000, credit_messages=50, max_message=500)
HELLO = Hello(1, 1, 1, 1000, 10_000, 100, 30_000, 0, b"evil")
INVALID = CloseReason.INVALID_INBOUND_MESSAGE
LOST = CloseReason.LOST_MESSAGES
TAKEN_OVER = CloseReason.SESSION_TAKEN_OVER


@dataclass
class Victim:
    """A raw client's session: its present connection, and what RESUME has to show."""

    raw: gns.Connection
    session: Session
    claim: Resume

    def drop(self) -> None:
        """Have the server lose the connection."""
        self.raw.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
        eventually(lambda: self.session.phase is Phase.DROPPED, TIMEOUT)


@dataclass
class Attacked:
    """A server that is attacked, with a good session beside."""

    opened: ExitStack
    server: Any = None
    good: Any = None
    served: dict[bytes, Session] = field(default_factory=dict)
    ends: list[CloseReason] = field(default_factory=list)
    may_read: threading.Event = field(default_factory=threading.Event)

    def connect(self, *first: Frame) -> gns.Connection:
        """Connect without a session, and say something."""
        raw = self.opened.enter_context(gns.connect(*self.server.address))
        if first:
            say(raw, *first)
        return raw

    def establish(self, hello: Hello = HELLO, raw: gns.Connection | None = None) -> Victim:
        """Make the raw client's session."""
        raw = self.connect() if raw is None else raw
        say(raw, hello)
        welcome = hear(raw, frames.Welcome)
        say(raw, frames.Confirm(1))
        hear(raw, frames.Ready)
        eventually(lambda: welcome.session_id in self.served, TIMEOUT)
        claim = Resume(1, 1, 1, welcome.session_id, 1, welcome.token, {}, hello.credit_bytes, hello.credit_messages)
        return Victim(raw, self.served[welcome.session_id], claim)

    def resume(self, victim: Victim, **changes: Any) -> Resumed:
        """Resume the raw client's session in the right way, and return what the server has answered."""
        raw = self.connect(replace(victim.claim, **changes))
        resumed: Resumed = hear(raw, Resumed)
        say(raw, frames.Confirm(resumed.epoch))
        victim.raw = raw
        victim.claim = replace(victim.claim, epoch=resumed.epoch, token=resumed.token)
        return resumed

    def check_goes_on(self) -> None:
        """Check that the good session goes on."""
        self.good.send(b"still here")
        assert self.good.recv(timeout=TIMEOUT) == b"still here"


def say(raw: gns.Connection, *order: Frame) -> None:
    raw.send_many([each.encode() for each in order], nagle=False)


def hear(raw: gns.Connection, kind: type[Frame] | UnionType) -> Any:
    frame = frames.decode(raw.recv(timeout=TIMEOUT))
    assert isinstance(frame, kind), frame
    return frame


def check_refused(raw: gns.Connection, reason: CloseReason) -> None:
    failed = hear(raw, ResumeFailed)
    assert failed.reason == reason
    assert len(failed.text) > 10


def check_closed(raw: gns.Connection, *reasons: CloseReason) -> None:
    end = raw.wait_closed(timeout=TIMEOUT)
    assert (end.code, end.closed_by.name) in [(reason.native_code, "PEER") for reason in reasons], end


def check_serves(victim: Victim, number: int) -> None:
    """Check that the raw client's session goes on; so many messages went each way, this one included."""
    say(victim.raw, Data(number, b"question"))
    assert hear(victim.raw, Data) == Data(number, b"question")


AttackedMaker = Callable[..., Attacked]


@pytest.fixture
def make_attacked(sessions: SessionApi) -> Iterator[AttackedMaker]:
    with ExitStack() as stack:

        def make(session_config: SessionConfig = CONFIG, **serving: Any) -> Attacked:
            attacked = Attacked(ExitStack())

            def handler(session: Session) -> None:
                if session.peer_data == b"evil":
                    attacked.served[engine_of(session).session_id] = session
                with contextlib.suppress(SessionClosed):
                    attacked.may_read.wait(TIMEOUT)
                    for data in session:
                        session.send(data)
                    session.close(data=b"echo")
                if session.peer_data == b"evil":
                    attacked.ends.append(session.wait_closed().reason)

            attacked.may_read.set()
            attacked.server = stack.enter_context(
                sessions.serve(handler, "127.0.0.1", 0, session_config=session_config, **serving)
            )
            attacked.good = stack.enter_context(sessions.connect(*attacked.server.address, data=b"good"))
            stack.enter_context(attacked.opened)
            return attacked

        yield make


@pytest.fixture
def attacked(make_attacked: AttackedMaker) -> Attacked:
    return make_attacked()


EXPIRED, FORGED = CloseReason.SESSION_EXPIRED, CloseReason.AUTHENTICATION_FAILED
WRONG_CLAIMS = [
    pytest.param({"session_id": bytes(16)}, EXPIRED, id="an unknown id"),
    pytest.param({"token": bytes(16)}, FORGED, id="a wrong token"),
    pytest.param({"token": b""}, FORGED, id="no token"),
    pytest.param({"token": bytes(64)}, FORGED, id="a long token"),
    pytest.param({"epoch": 2}, FORGED, id="an epoch to come"),
    pytest.param({"epoch": (1 << 64) - 1}, FORGED, id="the last epoch"),
    pytest.param({"min_version": 2, "max_version": 3}, CloseReason.VERSION_MISMATCH, id="another version"),
]


@pytest.mark.parametrize("is_dropped", [False, True], ids=["connected", "dropped"])
@pytest.mark.parametrize(("wrong", "reason"), WRONG_CLAIMS)
def test_what_is_not_the_client_s_own(
    attacked: Attacked, wrong: dict[str, Any], reason: CloseReason, is_dropped: bool
) -> None:
    victim = attacked.establish()
    if is_dropped:
        victim.drop()
    thief = attacked.connect(replace(victim.claim, **wrong))
    check_refused(thief, reason)
    assert attacked.server.counters.not_resumed == 1
    assert victim.session.drops == is_dropped
    if is_dropped:
        attacked.resume(victim)
    check_serves(victim, 1)
    own = attacked.establish(raw=thief)  # a client that is refused may ask for a new session
    check_serves(own, 1)
    attacked.check_goes_on()
    assert attacked.ends == []


def test_a_client_that_is_refused_and_says_nothing(make_attacked: AttackedMaker) -> None:
    attacked = make_attacked(replace(CONFIG, hello_timeout=0.3 * PATIENCE))
    victim = attacked.establish()
    thief = attacked.connect(replace(victim.claim, token=b""))
    check_refused(thief, FORGED)
    check_closed(thief, CloseReason.PROTOCOL_ERROR)
    attacked.check_goes_on()
    assert attacked.server.counters.failed == 1


@pytest.mark.parametrize("is_dropped", [False, True], ids=["connected", "dropped"])
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"handled": {0: 4}}, id="more than was sent"),
        pytest.param({"handled": {0: 3, 7: 1}}, id="another lane"),
        pytest.param({"handled": {0: 1}}, id="less than it has said"),
        pytest.param({"handled": {}}, id="nothing"),
        pytest.param({"credit_bytes": 10_009}, id="bytes that fall"),
        pytest.param({"credit_messages": 101}, id="messages that fall"),
    ],
)
def test_reports_that_contradict_what_was_said(attacked: Attacked, wrong: dict[str, Any], is_dropped: bool) -> None:
    """The token is right, so that the session itself is to blame: it ends."""
    victim = attacked.establish()
    for number in (1, 2, 3):
        check_serves(victim, number)
    say(victim.raw, Ack({0: 2}, 10_010, 102), Ping(1))
    hear(victim.raw, Ack)
    hear(victim.raw, frames.Pong)
    if is_dropped:
        victim.drop()
    right = replace(victim.claim, handled={0: 2}, credit_bytes=10_010, credit_messages=102)
    check_refused(attacked.connect(replace(right, **wrong)), LOST)
    eventually(lambda: attacked.ends == [LOST], TIMEOUT)
    if not is_dropped:
        check_closed(victim.raw, LOST, TAKEN_OVER)
    check_refused(attacked.connect(right), LOST)
    attacked.check_goes_on()


def test_a_second_attempt_after_a_refusal(attacked: Attacked) -> None:
    victim = attacked.establish()
    thief = attacked.connect(replace(victim.claim, token=b""))
    check_refused(thief, FORGED)
    say(thief, victim.claim)
    check_closed(thief, INVALID)
    check_serves(victim, 1)
    attacked.check_goes_on()


def test_a_second_attempt_after_success(attacked: Attacked) -> None:
    victim = attacked.establish()
    raw = attacked.connect(victim.claim)
    hear(raw, Resumed)
    say(raw, victim.claim)
    check_closed(raw, INVALID)
    eventually(lambda: attacked.ends == [INVALID], TIMEOUT)
    attacked.check_goes_on()


def test_a_second_attempt_once_it_goes_on(attacked: Attacked) -> None:
    victim = attacked.establish()
    attacked.resume(victim)
    check_serves(victim, 1)
    say(victim.raw, victim.claim)
    check_closed(victim.raw, INVALID)
    eventually(lambda: attacked.ends == [INVALID], TIMEOUT)
    attacked.check_goes_on()


@pytest.mark.parametrize(
    "second", [HELLO, frames.Confirm(2), Data(1, b"early"), Ping(1), "the same"], ids=lambda frame: type(frame).__name__
)
def test_frames_before_the_answer(attacked: Attacked, second: Frame | str) -> None:
    """The session may have heard of its new connection or not: it is dropped, goes on, or ends; all else goes on."""
    victim = attacked.establish()
    victim.drop()
    attacked.connect(victim.claim, victim.claim if isinstance(second, str) else second)
    eventually(lambda: victim.session.phase in (Phase.DROPPED, Phase.RESUMING, Phase.ENDED), TIMEOUT)
    attacked.check_goes_on()
    retry = attacked.connect(victim.claim)
    answer = hear(retry, Resumed | ResumeFailed)
    if isinstance(answer, Resumed):
        say(retry, frames.Confirm(answer.epoch))
        victim.raw = retry
        check_serves(victim, answer.handled.get(0, 0) + 1)
        assert attacked.ends == []
    else:
        assert answer.reason in (INVALID, FORGED)
    attacked.check_goes_on()


def test_an_epoch_that_is_not_confirmed(make_attacked: AttackedMaker) -> None:
    attacked = make_attacked(replace(CONFIG, hello_timeout=0.3 * PATIENCE))
    victim = attacked.establish()
    for epoch in (2, 3, 4):  # the token before stays valid: the answer may have been lost
        raw = attacked.connect(victim.claim)
        assert hear(raw, Resumed).epoch == epoch
        check_closed(raw, CloseReason.CONNECTION_LOST)
        eventually(lambda: victim.session.phase is Phase.DROPPED, TIMEOUT)
    assert attacked.resume(victim).epoch == 5
    check_serves(victim, 1)
    assert victim.session.drops == 1
    assert attacked.ends == []
    attacked.check_goes_on()


@pytest.mark.parametrize("epoch", [1, 3])
def test_another_epoch_is_confirmed(attacked: Attacked, epoch: int) -> None:
    victim = attacked.establish()
    raw = attacked.connect(victim.claim)
    assert hear(raw, Resumed).epoch == 2
    say(raw, frames.Confirm(epoch))
    check_closed(raw, INVALID)
    eventually(lambda: attacked.ends == [INVALID], TIMEOUT)
    attacked.check_goes_on()


def test_an_epoch_is_confirmed_twice(attacked: Attacked) -> None:
    victim = attacked.establish()
    attacked.resume(victim)
    say(victim.raw, frames.Confirm(2))
    check_closed(victim.raw, INVALID)
    eventually(lambda: attacked.ends == [INVALID], TIMEOUT)
    attacked.check_goes_on()


@pytest.mark.parametrize("shown", ["old", "new"])
def test_an_answer_that_is_lost(attacked: Attacked, shown: str) -> None:
    """The client may show either token, until it has shown that it has the new one."""
    victim = attacked.establish()
    old = victim.claim
    lost = attacked.connect(old)
    answer = hear(lost, Resumed)
    new = replace(old, epoch=answer.epoch, token=answer.token)
    victim.claim = old if shown == "old" else new
    assert attacked.resume(victim).epoch == 3
    check_closed(lost, TAKEN_OVER)
    check_serves(victim, 1)
    for void in (old, new):
        check_refused(attacked.connect(void), FORGED)
    check_serves(victim, 2)
    attacked.check_goes_on()


def test_the_new_token_makes_the_old_one_void_before_it_is_confirmed(attacked: Attacked) -> None:
    victim = attacked.establish()
    answer = hear(attacked.connect(victim.claim), Resumed)
    newest = hear(attacked.connect(replace(victim.claim, epoch=answer.epoch, token=answer.token)), Resumed)
    check_refused(attacked.connect(victim.claim), FORGED)
    victim.claim = replace(victim.claim, epoch=newest.epoch, token=newest.token)
    attacked.resume(victim)
    check_serves(victim, 1)
    attacked.check_goes_on()


def test_an_attempt_that_was_overtaken(attacked: Attacked) -> None:
    """A connection that the client has opened earlier, and given up since, takes nothing away from the newer one."""
    victim = attacked.establish()
    early, late = attacked.connect(), attacked.connect()
    say(late, victim.claim)
    answer = hear(late, Resumed)
    say(early, victim.claim)
    check_refused(early, TAKEN_OVER)
    say(late, frames.Confirm(answer.epoch))
    victim.raw = late
    check_serves(victim, 1)
    attacked.check_goes_on()


@pytest.mark.parametrize(
    ("replayed", "is_right"),
    [
        pytest.param([1, 2, 3, 4], True, id="right"),
        pytest.param([2, 3], False, id="a gap at the beginning"),
        pytest.param([1, 3], False, id="a gap"),
        pytest.param([1, 1], False, id="twice"),
        pytest.param([2, 1, 3], False, id="out of order"),
        pytest.param([4], False, id="only what is new"),
    ],
)
def test_replays(attacked: Attacked, replayed: list[int], is_right: bool) -> None:
    victim = attacked.establish(replace(HELLO, data=b"evil"))
    attacked.may_read.clear()
    slow = attacked.establish()
    say(slow.raw, *(Data(number, b"%d" % number) for number in (1, 2, 3)), Ping(1))
    hear(slow.raw, frames.Pong)
    slow.drop()
    assert attacked.resume(slow).handled == {}
    say(slow.raw, *(Data(number, b"%d" % number) for number in replayed))
    if is_right:
        attacked.may_read.set()
        assert [hear(slow.raw, Data) for _ in range(4)] == [Data(number, b"%d" % number) for number in (1, 2, 3, 4)]
    else:
        check_closed(slow.raw, LOST)
        attacked.may_read.set()
        eventually(lambda: attacked.ends == [LOST], TIMEOUT)
    check_serves(victim, 1)
    attacked.check_goes_on()


@pytest.mark.parametrize("number", [1, 3, 5])
def test_messages_that_were_handled_come_again(attacked: Attacked, number: int) -> None:
    victim = attacked.establish()
    for each in (1, 2, 3):
        check_serves(victim, each)
    victim.drop()
    assert attacked.resume(victim, handled={0: 3}).handled == {0: 3}
    say(victim.raw, Data(number, b""))
    check_closed(victim.raw, LOST)
    eventually(lambda: attacked.ends == [LOST], TIMEOUT)
    attacked.check_goes_on()


def test_a_token_that_was_stolen(attacked: Attacked) -> None:
    """The owner of the session is closed for SESSION_TAKEN_OVER, and learns that its token is void."""
    victim = attacked.establish()
    owner, old = victim.raw, victim.claim
    attacked.resume(victim)
    check_closed(owner, TAKEN_OVER)
    check_serves(victim, 1)
    check_refused(attacked.connect(old), FORGED)
    check_serves(victim, 2)
    assert victim.session.drops == 1
    attacked.check_goes_on()


def test_a_real_client_whose_token_was_stolen(attacked: Attacked, sessions: SessionApi) -> None:
    with sessions.connect(*attacked.server.address, data=b"evil") as owner:
        eventually(lambda: len(attacked.served) == 1, TIMEOUT)
        ((session_id, served),) = attacked.served.items()
        token = engine_of(owner)._token  # noqa: SLF001 - a thief does not ask
        thief = attacked.connect(Resume(1, 1, 1, session_id, 1, token, {}, 4 << 20, 16_384))
        say(thief, frames.Confirm(hear(thief, Resumed).epoch))
        assert owner.wait_closed(timeout=TIMEOUT).reason is TAKEN_OVER
        with pytest.raises(SessionClosed):
            owner.reconnect()
        check_serves(Victim(thief, served, None), 1)  # type: ignore[arg-type]
        assert attacked.ends == []
    attacked.check_goes_on()


def test_a_flood_of_wrong_tokens(make_attacked: AttackedMaker) -> None:
    """RESUME falls under the rules as HELLO does, and each connection has one guess."""
    attacked = make_attacked(rules=AdmissionRules(rate_per_address=0.001, burst_per_address=10))
    victim = attacked.establish()
    for number in range(8):
        check_refused(attacked.connect(replace(victim.claim, token=bytes([number] * 16))), FORGED)
    for _ in range(5):
        with pytest.raises(gns.ConnectFailed) as caught:
            attacked.connect()
        assert caught.value.end.code == CloseReason.RATE_LIMITED.native_code
    counters = attacked.server.counters
    assert (counters.requested, counters.not_resumed, counters.too_fast, counters.resumed) == (15, 8, 5, 0)
    check_serves(victim, 1)
    attacked.check_goes_on()


def test_those_who_were_refused_give_way(make_attacked: AttackedMaker) -> None:
    attacked = make_attacked(rules=AdmissionRules(max_pending=3, max_pending_per_address=None))
    victim = attacked.establish()
    thieves = [attacked.connect(replace(victim.claim, token=b"")) for _ in range(3)]
    for thief in thieves:
        check_refused(thief, FORGED)
    attacked.resume(victim)
    check_serves(victim, 1)
    check_closed(thieves[0], CloseReason.RATE_LIMITED)
    assert attacked.server.counters.gave_way == 1
    attacked.check_goes_on()


def test_a_session_that_is_not_established(attacked: Attacked) -> None:
    raw = attacked.connect(HELLO)
    welcome = hear(raw, frames.Welcome)
    claim = Resume(1, 1, 1, welcome.session_id, 1, welcome.token, {}, 10_000, 100)
    check_refused(attacked.connect(claim), EXPIRED)
    say(raw, frames.Confirm(1))
    hear(raw, frames.Ready)
    check_serves(Victim(raw, attacked.good, claim), 1)
    attacked.check_goes_on()


@pytest.mark.parametrize("is_established", [False, True], ids=["in the set-up", "established"])
def test_on_a_connection_that_has_a_session(attacked: Attacked, is_established: bool) -> None:
    victim = attacked.establish()
    if is_established:
        raw = attacked.establish().raw
    else:
        raw = attacked.connect(HELLO)
        hear(raw, frames.Welcome)
    say(raw, victim.claim)
    check_closed(raw, INVALID)
    check_serves(victim, 1)
    attacked.check_goes_on()


def test_a_session_without_the_capability(attacked: Attacked) -> None:
    victim = attacked.establish(replace(HELLO, capabilities=0))
    assert victim.claim.token == b""
    check_refused(attacked.connect(victim.claim), EXPIRED)
    check_serves(victim, 1)
    attacked.check_goes_on()


def test_in_a_goodbye(attacked: Attacked) -> None:
    """The same goodbye again, and the end is a normal one."""
    victim = attacked.establish()
    bye = Bye(CloseReason.CLOSED_BY_CLIENT, 1000, "bye", {}, b"data")
    say(victim.raw, bye)
    answer = hear(victim.raw, ByeAck)
    last_ack = hear(victim.raw, Ack)
    victim.raw.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
    eventually(lambda: victim.session.phase is Phase.DROPPED, TIMEOUT)
    attacked.resume(victim)
    say(victim.raw, bye)
    assert hear(victim.raw, ByeAck) == answer
    assert hear(victim.raw, Ack) == last_ack
    say(victim.raw, Ack({}, frames.LAST_CREDIT, frames.LAST_CREDIT))
    eventually(lambda: attacked.ends == [CloseReason.CLOSED_BY_CLIENT], TIMEOUT)
    assert victim.session.wait_closed(timeout=TIMEOUT).ok
    check_refused(attacked.connect(victim.claim), CloseReason.CLOSED_BY_CLIENT)
    attacked.check_goes_on()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param([Bye(4, 1001, "bye", {}, b"data")], INVALID, id="another code"),
        pytest.param([Bye(4, 1000, "bye", {}, b"")], INVALID, id="other data"),
        pytest.param([Bye(4, 1000, "bye", {0: 1}, b"data")], INVALID, id="another last number"),
        pytest.param([Data(1, b"more")], LOST, id="more than announced"),
    ],
)
def test_another_goodbye(attacked: Attacked, wrong: list[Frame], reason: CloseReason) -> None:
    victim = attacked.establish()
    say(victim.raw, Bye(4, 1000, "bye", {}, b"data"))
    hear(victim.raw, ByeAck)
    hear(victim.raw, Ack)
    victim.drop()
    attacked.resume(victim)
    say(victim.raw, *wrong)
    check_closed(victim.raw, reason)
    eventually(lambda: attacked.ends == [reason], TIMEOUT)
    attacked.check_goes_on()
