"""Hostile clients of servers that share a store: the store, its sessions and the good client do not suffer."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import time
from dataclasses import replace
from typing import Any

import pytest
from support import eventually
from support.faulty_store import FaultyStore
from support.sessions import engine_of

import gns_py.sync as gns
from gns_py.session import CloseReason
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Data, Frame, Ping, Resumed
from gns_py.session.store import Claim, RecordHead
from gns_py.session.sync import SessionClosed

from .raw_clients import (
    EXPIRED,
    FORGED,
    INVALID,
    LOST,
    TIMEOUT,
    Attacked,
    AttackedMaker,
    Victim,
    check_closed,
    check_refused,
    hear,
    say,
)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def servers(make_attacked: AttackedMaker, store: FaultyStore) -> tuple[Attacked, Attacked]:
    def on_request(request: Any) -> None:
        request.accept(durable=request.data == b"evil")

    first, second = (make_attacked(store=store, on_request=on_request) for _ in range(2))
    return first, second


def epoch_of(store: FaultyStore, session_id: bytes) -> int:
    return store._entries[session_id].epoch  # noqa: SLF001


def check_its_own(first: Attacked, victim: Victim) -> None:
    """Check that the session is still the first server's."""
    victim.session.commit(b"mine")
    first.check_goes_on()


WRONG_CLAIMS = [
    pytest.param({"session_id": bytes(16)}, LOST, id="an id of another store"),
    pytest.param({"token": bytes(16)}, FORGED, id="a wrong token"),
    pytest.param({"token": b""}, FORGED, id="no token"),
    pytest.param({"epoch": 2}, FORGED, id="an epoch to come"),
    pytest.param({"epoch": (1 << 64) - 1}, FORGED, id="the last epoch"),
    pytest.param({"handled": {0: 1}}, LOST, id="more than was sent"),
    pytest.param({"handled": {3: (1 << 63)}}, LOST, id="a lane that was not used"),
    pytest.param({"min_version": 2, "max_version": 3}, CloseReason.VERSION_MISMATCH, id="another version"),
]


@pytest.mark.parametrize(("wrong", "reason"), WRONG_CLAIMS)
def test_what_is_not_the_client_s_own_is_not_claimed(
    servers: tuple[Attacked, Attacked], store: FaultyStore, wrong: dict[str, Any], reason: CloseReason
) -> None:
    first, second = servers
    victim = first.establish()
    check_refused(second.connect(replace(victim.claim, **wrong)), reason)
    assert second.server.counters.not_resumed == 1
    assert epoch_of(store, victim.claim.session_id) == 1
    check_its_own(first, victim)
    second.check_goes_on()


def test_a_flood_of_unknown_ids_while_the_store_is_slow(servers: tuple[Attacked, Attacked], store: FaultyStore) -> None:
    first, second = servers
    victim = first.establish()
    store.delay = 0.3
    known = store.new_session_id()
    thieves = [second.connect(replace(victim.claim, session_id=known[:-8] + os.urandom(8))) for _ in range(30)]
    second.check_goes_on()
    for thief in thieves:
        check_refused(thief, EXPIRED)
    store.delay = 0.0
    check_its_own(first, victim)
    for thief in thieves:
        thief.close()
    eventually(lambda: second.server.counters.failed == len(thieves), TIMEOUT)
    assert len(second.server.sessions) == 1


@pytest.mark.parametrize(
    "more",
    [Ping(1), Data(1, b"early"), "the same", frames.Confirm(2), b"\xff\xff"],
    ids=["Ping", "Data", "Resume", "Confirm", "no frame"],
)
def test_frames_while_the_store_is_asked(
    servers: tuple[Attacked, Attacked], store: FaultyStore, more: Frame | str | bytes
) -> None:
    first, second = servers
    victim = first.establish()
    store.delay = 1.0
    thief = second.connect(victim.claim)
    if isinstance(more, bytes):
        thief.send(more, nagle=False)
    else:
        say(thief, victim.claim if isinstance(more, str) else more)
    check_closed(thief, INVALID, CloseReason.PROTOCOL_ERROR)
    thief.close()
    store.delay = 0.0
    answers: list[Frame | None] = []

    def owner_has_it() -> bool:
        raw = second.connect(victim.claim)
        answers.append(answer_of(raw))
        if isinstance(answers[-1], Resumed):
            return True
        raw.close()
        time.sleep(0.1)  # as a client pauses: the rules bound how often an address may connect
        return False

    eventually(owner_has_it, TIMEOUT)
    assert set(answers[:-1]) <= {None}  # it may try again
    first.check_goes_on()
    second.check_goes_on()


def answer_of(raw: gns.Connection) -> Frame | None:
    """Return the first frame, or None if the connection ends without one."""
    try:
        return frames.decode(raw.recv(timeout=TIMEOUT))
    except gns.ConnectionClosed:
        return None


def test_twice_at_once(servers: tuple[Attacked, Attacked], store: FaultyStore) -> None:
    """Two connections to one server show the same token: one of them has the session, the other may try again."""
    first, second = servers
    victim = first.establish()
    victim.session.commit(b"state")
    store.delay = 0.1
    pair = [second.connect(victim.claim) for _ in range(2)]
    answers = list(map(answer_of, pair))
    store.delay = 0.0
    assert [type(answer) for answer in answers] == [Resumed, type(None)]
    check_closed(pair[1], CloseReason.RATE_LIMITED)
    with pytest.raises(SessionClosed) as fenced:
        victim.session.commit()
    assert fenced.value.end.reason is CloseReason.FAILED_OVER
    first.check_goes_on()
    second.check_goes_on()


def test_a_server_that_is_overtaken_does_not_end_the_session(
    servers: tuple[Attacked, Attacked], store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client may have asked the other server itself, and have given up that attempt since."""
    first, second = servers
    victim = first.establish()
    claims: list[Claim] = []

    async def claim(wish: Claim) -> Any:
        claims.append(wish)
        if len(claims) == 1:
            await FaultyStore.claim(store, replace(wish, owner=os.urandom(16)))
        return await FaultyStore.claim(store, wish)

    monkeypatch.setattr(store, "claim", claim)
    check_closed(second.connect(victim.claim), CloseReason.RATE_LIMITED)
    resumed: Resumed = hear(second.connect(victim.claim), Resumed)
    assert resumed.epoch > 1 << 20
    second.check_goes_on()


@pytest.mark.parametrize("damage", [{"setup": b"junk"}, {"setup": b""}, {"progress": b"junk"}], ids=str)
def test_a_record_that_is_not_one(
    servers: tuple[Attacked, Attacked], store: FaultyStore, damage: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Another program has written to the store."""
    first, second = servers
    victim = first.establish()
    for name, value in damage.items():
        setattr(store._entries[victim.claim.session_id], name, value)  # noqa: SLF001
    with caplog.at_level(logging.ERROR, "gns_py"):
        check_closed(second.connect(victim.claim), CloseReason.INTERNAL_ERROR)
    assert [record.getMessage() for record in caplog.records if "restored" in record.getMessage()] != []
    caplog.clear()
    check_its_own(first, victim)
    second.check_goes_on()


def test_an_owner_that_writes_without_a_claim(servers: tuple[Attacked, Attacked], store: FaultyStore) -> None:
    """The epoch in the store is beyond all that a client can show: the session ends."""
    first, second = servers
    victim = first.establish()

    async def claim() -> None:
        head = await store.peek(victim.claim.session_id)
        assert isinstance(head, RecordHead)
        await store.claim(Claim(id=head.id, expected=1, epoch=(1 << 53) - 1, owner=os.urandom(16), ttl=head.ttl))

    asyncio.run(claim())
    raw = second.connect(victim.claim)
    check_closed(raw, CloseReason.INTERNAL_ERROR)
    second.check_goes_on()


def test_a_session_that_cannot_be_restored_leaves_nothing_to_the_next(
    servers: tuple[Attacked, Attacked], store: FaultyStore
) -> None:
    """The client may ask for a new session on the same connection: it has neither the state nor the key of the old."""
    first, second = servers
    victim = first.establish()
    victim.session.commit(b"state")
    entry = store._entries[victim.claim.session_id]  # noqa: SLF001
    entry.key = "player:42"
    before = copy.deepcopy(store._entries)  # noqa: SLF001
    second.resume(victim)
    store._entries = before  # noqa: SLF001 - it has lost the claim
    raw = first.connect(victim.claim)
    check_refused(raw, LOST)
    own = first.establish(raw=raw)
    assert (own.session.restored, own.session.saved_state, engine_of(own.session).key) == (False, None, None)
    first.check_goes_on()
