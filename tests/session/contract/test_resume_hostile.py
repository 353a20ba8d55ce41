"""A client that resumes in the wrong way, or what is not its own, harms its own session at the most."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support import PATIENCE, eventually
from support.sessions import SessionApi, engine_of

import gns_py.sync as gns
from gns_py.session import AdmissionRules, CloseReason, Phase
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Ack, Data, Frame, Ping, Resume, Resumed, ResumeFailed
from gns_py.session.sync import SessionClosed

from .raw_clients import (
    CONFIG,
    EXPIRED,
    FORGED,
    HELLO,
    INVALID,
    LOST,
    TAKEN_OVER,
    TIMEOUT,
    Attacked,
    AttackedMaker,
    Victim,
    check_closed,
    check_refused,
    check_serves,
    hear,
    say,
)

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
