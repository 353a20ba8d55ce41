"""Renewing a certificate in the background, in a thread or in an asyncio task."""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import random
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NoReturn, TypeAlias, TypeVar

from .certificate import Certificate
from .credentials import Credentials
from .schedule import (
    CertificateExpired,
    CertificateExpiring,
    CertificateRenewed,
    RenewalEvent,
    RenewalFailed,
    Schedule,
)

Fetched: TypeAlias = Certificate | Credentials | bytes | str
Fetch: TypeAlias = Callable[[], "Fetched | Awaitable[Fetched]"]

_log = logging.getLogger("gns_py.certs")
_Self = TypeVar("_Self", bound="Renewal")


class Renewal:
    """Fetches the next certificate when two thirds of the lifetime of the one in use have passed, again and again.

    With threads, use it as a context manager, or ``start()`` and ``close()`` it. In asyncio, let a task ``run()`` it.

    An attempt that fails is repeated after a pause that grows, at most five minutes, for ever: it ends with ``close()``
    or with the task, and not by an exception of a function that it calls. Failures are logged (``gns_py.certs``).

    Args:
        fetch: Returns the next certificate: a Certificate, Credentials, or the bytes or the text of a certificate. It
            needs a time limit of its own. In asyncio it may be a coroutine function; a plain one is called in a thread.
        apply: Takes what was fetched into use; bytes and texts arrive as a Certificate.
        certificate: The certificate in use. None to fetch the first one at once.
        on_event: Called with each event, in the thread or the loop: CertificateRenewed, RenewalFailed,
            CertificateExpiring and CertificateExpired.
        clock: The system's time, in seconds since 1970; tests have clocks of their own.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        apply: Callable[[Any], object],
        certificate: Certificate | Credentials | None = None,
        on_event: Callable[[RenewalEvent], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._apply = apply
        self._on_event = on_event
        self._clock = clock
        first = certificate.certificate if isinstance(certificate, Credentials) else certificate
        self._schedule = Schedule(first, clock(), random.random)
        self._inbox: queue.SimpleQueue[tuple[object, Exception | None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._used = False

    @property
    def certificate(self) -> Certificate | None:
        """The certificate in use."""
        return self._schedule.certificate

    # ---- threads -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: It was started before.
        """
        self._use()
        self._thread = threading.Thread(target=self._serve, name="gns_py renewal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. If it is fetching, the result will be dropped; this does not wait for it."""
        self._inbox.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self: _Self) -> _Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        fetching = False
        while True:
            if self._is_due() and not fetching:
                fetching = True
                self._begin_fetch()
            try:
                item = self._inbox.get(timeout=self._wait(fetching))
            except queue.Empty:
                continue
            if item is None:
                return
            fetching = False
            result, error = item
            try:
                if error is not None:
                    raise error
                fetched, certificate = self._checked(result)
                self._apply(fetched)
            except Exception as problem:
                self._failed(problem)
            else:
                self._renewed(certificate)

    def _begin_fetch(self) -> None:
        # In a thread of its own: warnings and close() must not wait for it.
        try:
            threading.Thread(target=self._fetch_once, name="gns_py renewal: fetch", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._inbox.put((None, error))

    def _fetch_once(self) -> None:
        try:
            self._inbox.put((self._fetch(), None))
        except Exception as error:
            self._inbox.put((None, error))
        except BaseException as error:  # SystemExit, say: the renewal must hear of it all the same
            self._inbox.put((None, RuntimeError(f"fetch() has raised {error!r}")))

    # ---- asyncio -----------------------------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Renew the certificate until the task is cancelled.

        Raises:
            RuntimeError: It was started before.
        """
        self._use()
        attempt: asyncio.Task[Certificate] | None = None
        try:
            while True:
                if self._is_due() and attempt is None:
                    attempt = asyncio.ensure_future(self._attempt())
                wait = self._wait(attempt is not None)
                if attempt is None:
                    await asyncio.sleep(wait)
                    continue
                await asyncio.wait({attempt}, timeout=wait)
                if attempt.done():
                    ended, attempt = attempt, None
                    if ended.cancelled():
                        self._failed(RuntimeError("fetch() or apply() was cancelled"))
                    elif (error := ended.exception()) is None:
                        self._renewed(ended.result())
                    else:
                        self._failed(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        finally:
            if attempt is not None:
                attempt.cancel()
                await asyncio.wait({attempt})

    async def _attempt(self) -> Certificate:
        if inspect.iscoroutinefunction(self._fetch):
            result = await self._fetch()
        else:
            result = await asyncio.to_thread(self._fetch)
            if inspect.isawaitable(result):
                result = await result
        fetched, certificate = self._checked(result)
        applied = self._apply(fetched)
        if inspect.isawaitable(applied):
            await applied
        return certificate

    # ---- both --------------------------------------------------------------------------------------------------------

    def _use(self) -> None:
        if self._used:
            raise RuntimeError("a Renewal can be started once")
        self._used = True

    def _is_due(self) -> bool:
        return self._schedule.is_due(self._clock())

    def _wait(self, fetching: bool) -> float:
        """Tell the application what is due now, and return the seconds until there is something to do."""
        for event in self._schedule.warnings(self._clock()):
            self._tell(event)
        return self._schedule.wait(self._clock(), fetching=fetching)

    def _checked(self, result: object) -> tuple[Certificate | Credentials, Certificate]:
        fetched = Certificate.parse(result) if isinstance(result, bytes | str) else result
        if not isinstance(fetched, Certificate | Credentials):
            raise TypeError(f"fetch() must return a certificate, not {type(fetched).__name__}")
        certificate = fetched.certificate if isinstance(fetched, Credentials) else fetched
        self._schedule.check(certificate, self._clock())
        return fetched, certificate

    def _renewed(self, certificate: Certificate) -> None:
        self._tell(self._schedule.renewed(certificate, self._clock()))

    def _failed(self, error: Exception) -> None:
        self._tell(self._schedule.failed(error, self._clock()))

    def _tell(self, event: RenewalEvent) -> None:
        match event:
            case CertificateRenewed(certificate):
                _log.info("the certificate was renewed: %r", certificate)
            case RenewalFailed(error, attempt, pause):
                text = "the certificate could not be renewed (attempt %d, the next one in %.1f s): %r"
                _log.warning(text, attempt, pause, error)
            case CertificateExpiring(certificate, left):
                _log.warning("the certificate expires in %s, and could not be renewed yet: %r", left, certificate)
            case CertificateExpired(certificate):
                _log.error("the certificate has expired: %r", certificate)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                _log.exception("on_event of a Renewal has failed")
