"""A server that drains, and clients that move to another one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import eventually
from support.outages import TIMEOUT
from support.sessions import SessionApi

from gns_py.session import CloseReason

PLAYERS = 8


def served_by(name: bytes) -> Callable[[Any], None]:
    def handler(session: Any) -> None:
        session.send(name)
        for data in session:
            session.send(data)

    return handler


@pytest.mark.parametrize("chooses", [True, False])
def test_all_players_move_with_nothing_lost(sessions: SessionApi, chooses: bool) -> None:
    callbacks = {"on_goaway": lambda session, _: session.send(b"last words") and session.move()} if chooses else {}
    with (
        sessions.serve(served_by(b"old"), "127.0.0.1", 0) as old,
        sessions.serve(served_by(b"new"), "127.0.0.1", 0) as new,
        ThreadPoolExecutor(PLAYERS + 1) as pool,
    ):
        ready = threading.Semaphore(0)

        def play(number: int) -> list[bytes]:
            heard: list[bytes] = []
            for session in sessions.connect_again(*old.address, **callbacks):
                heard.append(session.recv(timeout=TIMEOUT))
                if session.previous is not None:
                    assert (session.previous.reason, session.previous.ok) == (CloseReason.SERVER_SHUTTING_DOWN, True)
                    return heard
                session.send(b"%d" % number)
                heard.append(session.recv(timeout=TIMEOUT))
                ready.release()  # from now on send() may raise
                heard += session
            raise AssertionError("the iteration has ended")

        playing = [pool.submit(play, number) for number in range(PLAYERS)]
        for _ in playing:
            assert ready.acquire(timeout=TIMEOUT)
        assert old.drain(TIMEOUT, redirect=[new.address])
        for number, each in enumerate(playing):
            words = [b"last words"] if chooses else []
            assert each.result(TIMEOUT) == [b"old", b"%d" % number, *words, b"new"]


def test_newcomers_are_sent_on(sessions: SessionApi) -> None:
    with (
        sessions.serve(served_by(b"old"), "127.0.0.1", 0) as old,
        sessions.serve(served_by(b"new"), "127.0.0.1", 0) as new,
        ThreadPoolExecutor(1) as pool,
        sessions.connect(*old.address, on_goaway=lambda *_: None) as staying,
    ):
        draining = pool.submit(old.drain, TIMEOUT, redirect=[new.address])
        eventually(lambda: staying.is_going_away, TIMEOUT)
        with sessions.connect(*old.address) as newcomer:
            assert newcomer.recv(timeout=TIMEOUT) == b"new"
        staying.close()
        assert draining.result(TIMEOUT)
