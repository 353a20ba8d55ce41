"""Connections and sessions of gns_py.sync, as plans say."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import gns_py.session.sync as sessions
import gns_py.sync as gns
from gns_py import Message
from gns_py.session import AdmissionRules, SessionClosed

from .journal import Journal, Notes
from .plans import Outgoing, Plan, bursts, is_plan
from .settings import ABORTED, CODE, CONFIG, PATIENCE, RAISED, SESSION_CONFIG, SHUTDOWN
from .watch import Watch

Link: TypeAlias = "gns.Connection | sessions.Session"
WRONG = (gns.ConnectionClosed, SessionClosed)
LOOK = 0.05


class _Raised(Exception):  # noqa: N818 - by plan
    pass


def play(link: Link, notes: Notes, rng: random.Random) -> None:
    """Play one end's part; return once it has ended."""
    writer = threading.Thread(target=_write_and_close, args=(link, notes, rng))
    writer.start()
    try:
        _read(link, notes)
        writer.join(PATIENCE)
        if writer.is_alive():
            notes.write("stuck", what="sending, or closing")
        notes.end("wait", link.wait_closed(timeout=PATIENCE))
        _read_rest(link, notes)
        if link.end is None:
            notes.write("stuck", what="nothing is left to be read, and there is no end")
        else:
            notes.end("attribute", link.end)
    except TimeoutError:
        notes.write("stuck", what=f"it does not end: {link!r}")
    except Exception:
        notes.unexpected("playing")
    finally:
        writer.join(PATIENCE)
        link.close()
        notes.write("over")


def _write_and_close(link: Link, notes: Notes, rng: random.Random) -> None:
    try:
        if notes.mine.lanes > 1:
            link.configure_lanes([0] * notes.mine.lanes)
        sent = 0
        for burst in bursts(notes.plan, notes.mine, rng):
            if sent >= notes.mine.after and notes.mine.how in ("close", "abort", "raise", "cancel"):
                break
            notes.sending(burst)
            if not _send(link, burst, notes):
                break
            sent += len(burst)
            if notes.mine.pauses:
                time.sleep(rng.random() * 0.01)
        _close(link, notes)
    except WRONG:
        pass  # the reader is told, too
    except Exception:
        notes.unexpected("sending or closing")


def _send(link: Link, burst: list[Outgoing], notes: Notes) -> bool:
    for each in burst:
        until = time.monotonic() + notes.patience
        while True:
            try:
                link.send(each.data, reliable=each.reliable, lane=each.lane)
                break
            except gns.SendQueueFull:
                try:
                    link.drain(timeout=LOOK if notes.mine.impatient else notes.patience)
                except TimeoutError:
                    if time.monotonic() > until:
                        if notes.patience == PATIENCE:
                            notes.write("stuck", what="draining")
                        return False
        notes.sent([each])
    return True


def _close(link: Link, notes: Notes) -> None:
    match notes.mine.how:
        case "read all, close":
            until = time.monotonic() + PATIENCE
            while not notes.all_read.wait(LOOK) and link.end is None:
                if time.monotonic() > until:
                    notes.write("stuck", what="not all has come, and no end")
                    return
            if link.end is None:
                notes.closing("close", CODE)
                link.close(CODE, "read all")
        case "close":
            notes.closing("close", CODE)
            link.close(CODE, "enough")
        case "abort":
            notes.closing("abort", ABORTED)
            if isinstance(link, gns.Connection):
                link.close(ABORTED, "given up", linger=False)
            else:
                link.abort(ABORTED, "given up")
        case "raise":
            notes.closing("raise", RAISED)
            with contextlib.suppress(_Raised), link:
                raise _Raised
        case "cancel":
            notes.closing("cancel", gns.EndReason.APP_GENERIC)
            with contextlib.suppress(KeyboardInterrupt), link:
                raise KeyboardInterrupt
        case _:
            pass  # the other end does that


def _read(link: Link, notes: Notes) -> None:
    read = 0
    until = time.monotonic() + PATIENCE
    while not (notes.mine.how == "deaf" and read >= notes.mine.after):
        try:
            messages = link.recv_many(timeout=0.001 if notes.mine.impatient else PATIENCE)
        except TimeoutError:
            if time.monotonic() > until:
                notes.write("stuck", what=f"nothing comes, and no end: {link!r}")
                return
            continue
        except WRONG as error:
            notes.end("recv", error.end)
            return
        notes.received(messages)
        read += len(messages)
        until = time.monotonic() + PATIENCE
        if notes.mine.pauses:
            time.sleep(0.005)


def _read_rest(link: Link, notes: Notes) -> None:
    """Read the messages that had arrived before the end."""
    with contextlib.suppress(*WRONG, TimeoutError):
        while True:
            messages = link.recv_many(timeout=0.0)
            notes.received(messages)


class SyncServer:
    """Serves connections and sessions."""

    def __init__(self, journal: Journal, seed: int) -> None:
        self._journal = journal
        self._seed = seed
        self.watch = Watch(journal)
        named: dict[str, Any] = {"config": CONFIG, "on_status_changed": self.watch}
        rules = AdmissionRules(max_pending_per_address=None)
        self._connections = gns.serve(self._handle_connection, "127.0.0.1", 0, **named)
        self._sessions = sessions.serve(
            self._handle_session, "127.0.0.1", 0, session_config=SESSION_CONFIG, rules=rules, **named
        )
        self.ports = {"connection": self._connections.address.port, "session": self._sessions.address.port}

    def close(self) -> None:
        """End everything, and wait for that."""
        for server in (self._connections, self._sessions):
            server.close(SHUTDOWN, "closing")
        for server in (self._connections, self._sessions):
            server.wait_closed(timeout=PATIENCE)

    def left(self) -> dict[str, int]:
        """Return what is still there."""
        return {
            "connections": len(self._connections.connections),
            "sessions": len(self._sessions.sessions),
            "alive": len(self.watch.alive),
        }

    def _handle_connection(self, connection: gns.Connection) -> None:
        early: list[Message] = []  # which have overtaken the plan
        try:
            while not is_plan((message := connection.recv_message(timeout=PATIENCE)).data):
                early.append(message)
        except (gns.ConnectionClosed, TimeoutError):
            return  # it has vanished before it could send anything
        self._play(connection, Plan.decode(message.data), early)

    def _handle_session(self, session: sessions.Session) -> None:
        self._play(session, Plan.decode(session.peer_data), [])

    def _play(self, link: Link, plan: Plan, early: list[Message]) -> None:
        notes = Notes(self._journal, plan, "server")
        notes.received(early)
        play(link, notes, random.Random(f"{self._seed}/{plan.name}/server"))


class SyncClient:
    """Has connections and sessions, one after the other in each of some threads."""

    def __init__(self, journal: Journal, seed: int, name: str, workers: int, ports: Callable[[str], int]) -> None:
        self._journal = journal
        self._seed = seed
        self._name = name
        self._ports = ports
        self._is_stopped = False
        self.watch = Watch(journal)
        self._workers = [threading.Thread(target=self._work, args=(number,)) for number in range(workers)]
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what is in progress."""
        self._is_stopped = True
        for worker in self._workers:
            worker.join()

    def left(self) -> dict[str, int]:
        """Return what is still there."""
        return {"alive": len(self.watch.alive)}

    def _work(self, worker: int) -> None:
        number = 0
        while not self._is_stopped:
            number += 1
            name = f"{self._name}-{worker}-{number}"
            rng = random.Random(f"{self._seed}/{name}")
            plan = Plan.make(name, rng)
            try:
                link = self._connect(plan)
            except (gns.ConnectionClosed, SessionClosed) as error:
                self._journal.write(e="refused", link=name, why=f"{type(error).__name__}: {error}")
                time.sleep(LOOK)
                continue
            except Exception:
                self._journal.unexpected("connecting", link=name)
                continue
            play(link, Notes(self._journal, plan, "client"), rng)

    def _connect(self, plan: Plan) -> Link:
        named: dict[str, Any] = {"config": CONFIG, "on_status_changed": self.watch, "timeout": PATIENCE}
        port = self._ports(plan.kind)
        if plan.kind == "session":
            return sessions.connect("127.0.0.1", port, data=plan.encode(), session_config=SESSION_CONFIG, **named)
        connection = gns.connect("127.0.0.1", port, **named)
        connection.send(plan.encode())
        return connection
