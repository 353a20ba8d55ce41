"""Keeps the durable sessions of a listener in a store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from ...errors import InvalidStateError
from ..protocol.durable import (
    Commit,
    DurableServerEngine,
    check_handled,
    check_owner,
    read_setup,
)
from ..protocol.frames import Resume
from ..protocol.reasons import CloseReason, reason_of
from ..protocol.state import Phase
from ..protocol.violation import Violation
from ..store import errors, store, values
from . import identities, records
from .records import Holding
from .resumable import ResumableEndpoint

_log = logging.getLogger("gns_py")
# Seconds: how much longer a record lives than its session, whose client may notice later that it has lost its server;
# and how often an owner says that it still has its sessions, and learns whether it does.
_GRACE = 60.0
_PERIOD = 5.0
T = TypeVar("T")
_Results: TypeAlias = list[errors.StoreError | None]
Spawn = Callable[[Coroutine[Any, Any, None]], None]


class SessionKeeper:
    """Stores durable sessions, and what is committed in them. Its coroutines run in one loop.

    Args:
        sessions: The store, which is open.
        spawn: Runs a coroutine in that loop. Any thread may call it.
    """

    def __init__(self, sessions: store.SessionStore, spawn: Spawn) -> None:
        self._store = sessions
        self._spawn = spawn
        self._held: dict[ResumableEndpoint, Holding] = {}
        self._is_available = True
        self._next_check = 0.0

    # ---- the set-up ----

    def accept(self, endpoint: ResumableEndpoint, data: bytes, key: str | None) -> None:
        """Accept a session once it is stored; reject it if that fails. Any thread.

        Raises:
            InvalidStateError: There is nothing to accept, or the session cannot be durable.
        """
        engine = engine_of(endpoint)
        with endpoint.lock:
            engine.accept_durable(data, time.monotonic())
        self._spawn(self._create(endpoint, key))

    async def _create(self, endpoint: ResumableEndpoint, key: str | None) -> None:
        engine = engine_of(endpoint)

        def check(older: values.RecordHead) -> None:
            if text := identities.refusal(read_setup(older.setup).client, endpoint.began_with):
                raise Violation(text, CloseReason.AUTHENTICATION_FAILED)

        try:
            try:
                holding = await self._store_new(endpoint, key)
            except errors.RecordLost:  # the id is of a data set that the store has lost: it knows of the new one now
                holding = await self._store_new(endpoint, key)
            if key is not None:
                taken = CloseReason.SESSION_TAKEN_OVER
                await store.take_over_key(self._store, key, holding.session_id, taken, ttl=holding.ttl, check=check)
        except InvalidStateError:  # the client has gone
            return
        except Violation as violation:
            endpoint.run(endpoint.act, engine.not_stored, violation.reason, violation.text)
            await self._delete(holding)
            return
        except Exception as error:
            if not isinstance(error, errors.StoreUnavailable):
                _log.exception("a session could not be stored")
            text = "the session store does not answer"
            endpoint.run(endpoint.act, engine.not_stored, CloseReason.INTERNAL_ERROR, text)
            return
        self._held[endpoint] = holding
        endpoint.run(endpoint.act, engine.stored)
        if endpoint.has_ended:
            await self._forget(endpoint)

    async def _store_new(self, endpoint: ResumableEndpoint, key: str | None) -> Holding:
        engine = engine_of(endpoint)
        session_id = self._store.new_session_id()
        with endpoint.lock:
            setup = engine.identify(session_id, endpoint.began_with)
        holding = Holding(session_id, 1, key, engine.agreed_window + _GRACE)
        await self._store.create(holding.record(setup, engine.config))
        return holding

    # ---- commits ----

    async def commit(
        self, states: Mapping[ResumableEndpoint, bytes | None], *, is_goodbye: bool = False
    ) -> dict[ResumableEndpoint, Exception]:
        """Store what sessions have done since their last commits, in one round trip.

        Args:
            states: For each session the state of its application; None: as it was.
            is_goodbye: Store only what has to be stored before these sessions say goodbye.

        Returns:
            Why it failed, for those for which it did.
        """
        failed: dict[ResumableEndpoint, Exception] = {}
        held: dict[ResumableEndpoint, Holding] = {}
        for endpoint in states:
            if (holding := self._held.get(endpoint)) is not None:
                held[endpoint] = holding
            elif endpoint.has_ended:
                failed[endpoint] = endpoint.closed_error()
            else:
                failed[endpoint] = InvalidStateError("the session is not durable, or not established yet")
        async with contextlib.AsyncExitStack() as locks:
            for holding in sorted(held.values(), key=id):  # everyone in the same order
                await locks.enter_async_context(holding.lock)
            unknown = {each: commit for each in held if (commit := engine_of(each).pending) is not None}
            failed |= await self._carry_out(unknown, held)
            commits: dict[ResumableEndpoint, Commit] = {}
            for endpoint in held.keys() - failed.keys():
                with endpoint.lock:
                    if endpoint.has_ended:
                        failed[endpoint] = endpoint.closed_error()
                    elif not is_goodbye:
                        commits[endpoint] = engine_of(endpoint).prepare(states[endpoint])
                    elif (goodbye := engine_of(endpoint).prepare_goodbye()) is not None:
                        commits[endpoint] = goodbye
            failed |= await self._carry_out(commits, held)
        return failed

    async def _carry_out(
        self, commits: Mapping[ResumableEndpoint, Commit], held: Mapping[ResumableEndpoint, Holding]
    ) -> dict[ResumableEndpoint, Exception]:
        if not commits:
            return {}
        stored = [held[endpoint].commit(commit) for endpoint, commit in commits.items()]
        results = await _each(self._store.commit, stored)
        failed: dict[ResumableEndpoint, Exception] = {}
        for (endpoint, commit), error in zip(commits.items(), results, strict=True):
            engine = engine_of(endpoint)
            if error is None:
                endpoint.run(endpoint.act, engine.committed, commit)
                continue
            failed[endpoint] = error
            if isinstance(error, errors.RecordTooLarge):
                with endpoint.lock:
                    engine.withdraw(commit)
            elif self._is_lost(endpoint, error):
                failed[endpoint] = endpoint.closed_error()
        return failed

    def _is_lost(self, endpoint: ResumableEndpoint, error: errors.StoreError) -> bool:
        """End this server's part of a session if the store says that it is not this server's; return whether it is."""
        if isinstance(error, errors.Fenced):
            reason = CloseReason.FAILED_OVER if error.reason is None else reason_of(error.reason)
        elif isinstance(error, errors.RecordExpired):
            reason = CloseReason.SESSION_EXPIRED
        elif isinstance(error, errors.RecordLost):
            reason = CloseReason.LOST_MESSAGES
        else:
            return False
        self._held.pop(endpoint, None)
        endpoint.run(endpoint.act, engine_of(endpoint).lose, reason, str(error))
        return True

    def is_owed(self, endpoint: ResumableEndpoint) -> bool:
        """Return whether a session that was closed can confirm its client's goodbye only after another commit."""
        engine = engine_of(endpoint)
        return engine.is_durable and engine.pending is None and engine.has_arrived and not engine.is_committed

    def finish(self, endpoint: ResumableEndpoint) -> None:
        """Commit what is left of a session that says goodbye, and the goodbye. Any thread."""
        self._spawn(self._finish(endpoint))

    async def _finish(self, endpoint: ResumableEndpoint) -> None:
        while (error := (await self.commit({endpoint: None}, is_goodbye=True)).get(endpoint)) is not None:
            if not isinstance(error, errors.StoreUnavailable):
                return
            await asyncio.sleep(0.1)  # the goodbye waits, within its own time limits

    # ---- the end ----

    def ended(self, endpoint: ResumableEndpoint) -> None:
        """Delete what the store has of a session that has ended. Any thread."""
        self._spawn(self._forget(endpoint))

    async def _forget(self, endpoint: ResumableEndpoint) -> None:
        holding = self._held.pop(endpoint, None)
        end = endpoint.engine.end
        if holding is None or (end is not None and end.reason is CloseReason.FAILED_OVER):
            return
        await self._delete(holding)

    async def _delete(self, holding: Holding) -> None:
        with contextlib.suppress(errors.StoreError):  # its time ends by itself
            await self._store.delete(holding.session_id, holding.epoch, holding.owner, key=holding.key)

    # ---- sessions of other servers ----

    def is_stale(self, endpoint: ResumableEndpoint, resume: Resume) -> bool:
        """Return whether this server has lost a session, as its client shows; this server's part ends then."""
        engine = engine_of(endpoint)
        if not engine.is_newer_owners(resume):
            return False
        self._held.pop(endpoint, None)
        endpoint.run(endpoint.act, engine.lose, CloseReason.FAILED_OVER, "the client has had it at another server")
        return True

    async def restore(self, handshake: ResumableEndpoint, resume: Resume) -> None:
        """Make the session that a client wants to resume this server's, on the connection of this handshake.

        Raises:
            Violation: That is not possible; the reason is for the client.
            StoreUnavailable: The store does not answer.
        """
        head = await self._peek(handshake, resume)
        holding = Holding(head.id, head.epoch + 1, head.key, head.ttl)
        try:
            record = await self._store.claim(holding.claim())
        except errors.Fenced as error:
            raise records.fenced(error) from error
        except errors.RecordMissing as error:
            raise records.missing(error) from error
        saved = records.saved(record, head.epoch)
        engine = engine_of(handshake)
        try:
            with handshake.lock:
                if handshake.has_ended:
                    return  # the client has gone; the next server that it asks claims the session again
                handshake.have_lanes(1 + max(record.sent, default=0))  # what is sent again may be on any of them
                engine.restore(saved, resume, time.monotonic())
                # Not earlier: if that fails, the client may ask for a new session instead.
                engine.key, handshake.began_with, handshake.saved_state = record.key, saved.setup.client, record.state
                if not engine.may_send:  # the owner before has said goodbye
                    handshake.stay_until_ended()
        except Violation as violation:
            if violation.reason is CloseReason.LOST_MESSAGES:
                await self._store.end(head.id, violation.reason)
            raise
        self._held[handshake] = holding
        if handshake.has_ended:  # since then: nothing was held that could have been forgotten
            await self._forget(handshake)

    async def _peek(self, handshake: ResumableEndpoint, resume: Resume) -> values.RecordHead:
        try:
            head = await self._store.peek(resume.session_id)
        except errors.RecordLost as error:
            raise records.missing(error) from error
        if head is None:
            raise Violation("there is no such session any longer", CloseReason.SESSION_EXPIRED)
        if isinstance(head, values.Ended):
            raise Violation("the session was ended by another server", reason_of(head.reason))
        saved = records.saved(head, head.epoch - 1)
        check_owner(saved, resume)  # before it is claimed
        check_handled(saved.progress, resume)
        if text := identities.refusal(saved.setup.client, identities.verified_peer(handshake)):
            raise Violation(text, CloseReason.AUTHENTICATION_FAILED)
        return head

    # ---- all the time ----

    async def watch(self) -> None:
        """Say again and again that this server has its sessions, and learn whether it does. Runs until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            try:
                await self._touch(list(self._held.items()))
            except Exception:
                _log.exception("the session store failed")

    def check_dropped(self) -> None:
        """Learn soon whether other servers have the sessions that have lost their connections. Any thread."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + _PERIOD / 10
            self._spawn(self._check_dropped())

    async def _check_dropped(self) -> None:
        await self._touch([each for each in self._held.items() if each[0].engine.phase is Phase.DROPPED])

    async def _touch(self, held: list[tuple[ResumableEndpoint, Holding]]) -> None:
        results = await _each(self._store.touch, [holding.touch() for _, holding in held])
        for (endpoint, holding), error in zip(held, results, strict=True):
            if error is not None and self._held.get(endpoint) is holding:
                self._is_lost(endpoint, error)
        self._note_availability(results)

    def _note_availability(self, results: _Results) -> None:
        error = next((each for each in results if isinstance(each, errors.StoreUnavailable)), None)
        if error is not None and self._is_available:
            _log.warning("the session store does not answer: %s", error)
        elif error is None and results and not self._is_available:
            _log.warning("the session store answers again")
        if results:
            self._is_available = error is None


async def _each(operation: Callable[[list[T]], Awaitable[_Results]], items: list[T]) -> _Results:
    """Return the result for each item, also if the store says for all of them together that it does not answer."""
    try:
        return await operation(items) if items else []
    except errors.StoreUnavailable as error:
        return [error] * len(items)


def engine_of(endpoint: ResumableEndpoint) -> DurableServerEngine:
    """Return the engine of an end that listens, of a server with a store."""
    return cast("DurableServerEngine", endpoint.engine)


def keeper_of(endpoint: ResumableEndpoint) -> SessionKeeper:
    """Return what keeps a session.

    Raises:
        InvalidStateError: It is not durable.
    """
    if endpoint.keeper is None or not endpoint.engine.is_durable:
        raise InvalidStateError("the session is not durable")
    return cast("SessionKeeper", endpoint.keeper)


def check_state(state: bytes | None) -> None:
    """Check the state of an application.

    Raises:
        TypeError: It is not bytes.
    """
    if state is not None and not isinstance(state, bytes):
        raise TypeError(f"state must be bytes, not {type(state).__name__}")
