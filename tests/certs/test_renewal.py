"""Renewing in the background, with threads and in asyncio: whatever fetch(), apply() and on_event() do, it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from support import PATIENCE, eventually

from gns_py import Identity
from gns_py.certs import (
    Certificate,
    CertificateExpired,
    CertificateExpiring,
    CertificateRenewed,
    Credentials,
    Renewal,
    RenewalFailed,
)
from gns_py.certs.format import Contents, Signed


def certificate(left: float, lifetime: int = 600, name: str = "alice") -> Certificate:
    """Return a certificate with that many seconds left."""
    expires = int(time.time() + left)
    contents = Contents(bytes(32), Identity.string(name), expires - lifetime, expires, (0,))
    return Certificate(Signed(contents.encode(), 1, bytes(64)).encode())


class Recorder:
    """Functions of an application, which record what they are called with and raise what the test wants."""

    def __init__(self) -> None:
        self.results: list[object] = []
        """Results of fetch(), the next one last; exceptions are raised. The last one is repeated."""
        self.fetched = 0
        self.applied: list[Any] = []
        self.events: list[Any] = []
        self.threads: set[threading.Thread] = set()

    def fetch(self) -> Any:
        self.fetched += 1
        result = self.results.pop() if len(self.results) > 1 else self.results[0]
        if isinstance(result, BaseException):
            raise result
        return result() if callable(result) else result

    async def fetch_async(self) -> Any:
        await asyncio.sleep(0)
        return self.fetch()

    def apply(self, thing: object) -> None:
        self.applied.append(thing)

    def on_event(self, event: object) -> None:
        self.threads.add(threading.current_thread())
        self.events.append(event)

    def has(self, kind: type, count: int = 1) -> bool:
        return sum(isinstance(each, kind) for each in self.events) >= count


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    log = logging.getLogger("gns_py.certs")
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(logging.NOTSET)


Run = Callable[[Renewal, Callable[[], object]], None]


def run_in_thread(renewal: Renewal, until: Callable[[], object]) -> None:
    with renewal:
        eventually(until)


def run_in_asyncio(renewal: Renewal, until: Callable[[], object]) -> None:
    async def main() -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(renewal.run())
        end = time.monotonic() + 5 * PATIENCE
        while not until():
            assert not task.done(), task.exception()
            assert time.monotonic() < end
            await asyncio.sleep(0.002)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.fixture(params=[run_in_thread, run_in_asyncio], ids=["thread", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that runs a renewal until a condition is true."""
    found: Run = request.param
    return found


@pytest.mark.parametrize("form", ["certificate", "bytes", "text"])
def test_a_certificate_is_fetched_and_applied(run: Run, recorder: Recorder, form: str) -> None:
    new = certificate(600)
    recorder.results = [{"certificate": new, "bytes": bytes(new), "text": new.pem()}[form]]
    renewal = Renewal(recorder.fetch, apply=recorder.apply, certificate=certificate(150), on_event=recorder.on_event)
    run(renewal, lambda: recorder.has(CertificateRenewed))
    assert recorder.applied == [new]
    assert recorder.events == [CertificateRenewed(new)]
    assert renewal.certificate == new
    assert recorder.fetched == 1


def test_the_first_one_is_fetched_at_once(run: Run, recorder: Recorder) -> None:
    new = Credentials.__new__(Credentials)
    object.__setattr__(new, "_certificate", certificate(600))
    recorder.results = [new]
    renewal = Renewal(recorder.fetch, apply=recorder.apply, on_event=recorder.on_event)
    run(renewal, lambda: recorder.has(CertificateRenewed))
    assert recorder.applied == [new]
    assert renewal.certificate is new.certificate


def test_it_waits_until_it_is_time(run: Run, recorder: Recorder) -> None:
    recorder.results = [certificate(600)]
    old = certificate(500)
    waited = time.monotonic() + 0.1
    renewal = Renewal(recorder.fetch, apply=recorder.apply, certificate=old, on_event=recorder.on_event)
    run(renewal, lambda: time.monotonic() > waited)
    assert (recorder.fetched, recorder.events, renewal.certificate) == (0, [], old)


def test_failures_are_repeated(run: Run, recorder: Recorder) -> None:
    new = certificate(60, lifetime=60)
    old = certificate(1, lifetime=3)
    errors = [OSError("no network"), ValueError("nonsense")]
    recorder.results = [new, 5, b"nonsense", old, certificate(-5), *errors]
    renewal = Renewal(recorder.fetch, apply=recorder.apply, certificate=old, on_event=recorder.on_event)
    run(renewal, lambda: recorder.has(CertificateRenewed))
    failures = [each for each in recorder.events if isinstance(each, RenewalFailed)]
    assert [each.attempt for each in failures] == [1, 2, 3, 4, 5, 6]
    assert [str(each.error) for each in failures[:2]] == ["nonsense", "no network"]
    assert recorder.applied == [new]


def test_even_an_exit_of_the_fetching_thread_is_a_failure(recorder: Recorder) -> None:
    recorder.results = [certificate(60), SystemExit(3)]
    renewal = Renewal(
        recorder.fetch, apply=recorder.apply, certificate=certificate(1, lifetime=3), on_event=recorder.on_event
    )
    run_in_thread(renewal, lambda: recorder.has(CertificateRenewed))
    failure = next(each for each in recorder.events if isinstance(each, RenewalFailed))
    assert "SystemExit" in str(failure.error)


def test_a_certificate_that_cannot_be_applied_is_a_failure(run: Run, recorder: Recorder) -> None:
    old = certificate(7, lifetime=30)
    recorder.results = [lambda: certificate(60, lifetime=60)]

    def apply(thing: object) -> None:
        recorder.apply(thing)
        if len(recorder.applied) < 3:
            raise RuntimeError("not running")

    renewal = Renewal(recorder.fetch, apply=apply, certificate=old, on_event=recorder.on_event)
    run(renewal, lambda: recorder.has(CertificateRenewed))
    assert [type(each) for each in recorder.events] == [RenewalFailed, RenewalFailed, CertificateRenewed]
    assert renewal.certificate == recorder.applied[-1]


def test_warnings_before_and_at_the_expiry_while_fetching_hangs(run: Run, recorder: Recorder) -> None:
    release = threading.Event()
    recorder.results = [lambda: release.wait(5 * PATIENCE) and None]
    old = certificate(1.2, lifetime=600)

    def until() -> bool:
        if recorder.has(CertificateExpired):
            release.set()
        return recorder.has(CertificateExpired)

    renewal = Renewal(recorder.fetch, apply=recorder.apply, certificate=old, on_event=recorder.on_event)
    run(renewal, until)
    assert [type(each) for each in recorder.events[:2]] == [CertificateExpiring, CertificateExpired]
    assert recorder.fetched == 1


def test_it_goes_on_after_the_expiry(run: Run, recorder: Recorder) -> None:
    new = certificate(60, lifetime=60)
    recorder.results = [new, OSError("no network")]
    renewal = Renewal(
        recorder.fetch, apply=recorder.apply, certificate=certificate(-1, lifetime=10), on_event=recorder.on_event
    )
    run(renewal, lambda: recorder.has(CertificateRenewed))
    assert [type(each) for each in recorder.events] == [CertificateExpired, RenewalFailed, CertificateRenewed]


def test_an_exception_of_on_event_ends_nothing(run: Run, recorder: Recorder) -> None:
    recorder.results = [certificate(60, lifetime=60), OSError("no network")]

    def on_event(event: object) -> None:
        recorder.on_event(event)
        raise RuntimeError("a bug of the application")

    renewal = Renewal(recorder.fetch, apply=recorder.apply, certificate=certificate(1), on_event=on_event)
    run(renewal, lambda: recorder.has(CertificateRenewed))


def test_everything_is_logged(run: Run, recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    recorder.results = [certificate(60, lifetime=60), OSError("no network")]
    old = certificate(-1, lifetime=10)
    with caplog.at_level(logging.INFO, "gns_py.certs"):
        run(
            Renewal(recorder.fetch, apply=recorder.apply, certificate=old, on_event=recorder.on_event),
            lambda: recorder.has(CertificateRenewed),
        )
    assert [each.levelname for each in caplog.records if each.name == "gns_py.certs"] == ["ERROR", "WARNING", "INFO"]


def test_it_can_be_started_once(recorder: Recorder) -> None:
    renewal = Renewal(recorder.fetch, apply=recorder.apply, certificate=certificate(600))
    with renewal, pytest.raises(RuntimeError, match="once"):
        renewal.start()
    with pytest.raises(RuntimeError, match="once"):
        asyncio.run(renewal.run())
    renewal.close()


def test_close_does_not_wait_for_a_fetch_that_hangs(recorder: Recorder) -> None:
    release = threading.Event()
    recorder.results = [lambda: release.wait(5 * PATIENCE) and certificate(600)]
    with Renewal(recorder.fetch, apply=recorder.apply, on_event=recorder.on_event):
        eventually(lambda: recorder.fetched)
    assert not recorder.events
    release.set()
    eventually(lambda: not any("renewal" in each.name for each in threading.enumerate()))
    assert recorder.applied == []


def test_close_from_a_callback(recorder: Recorder) -> None:
    recorder.results = [certificate(600)]
    renewal = Renewal(recorder.fetch, apply=lambda _: renewal.close(), on_event=recorder.on_event)
    renewal.start()
    eventually(lambda: recorder.has(CertificateRenewed))
    eventually(lambda: not any("renewal" in each.name for each in threading.enumerate()))


def test_without_a_thread_it_tries_again(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.results = [certificate(60)]
    real = threading.Thread.start
    refused: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        if "fetch" in thread.name and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    renewal = Renewal(
        recorder.fetch, apply=recorder.apply, certificate=certificate(1, lifetime=3), on_event=recorder.on_event
    )
    run_in_thread(renewal, lambda: recorder.has(CertificateRenewed))
    assert "new thread" in str(next(each.error for each in recorder.events if isinstance(each, RenewalFailed)))


@pytest.mark.parametrize("kind", ["coroutine function", "function that returns an awaitable"])
def test_coroutines(recorder: Recorder, kind: str) -> None:
    recorder.results = [certificate(600)]
    applied: list[object] = []

    async def apply(thing: object) -> None:
        await asyncio.sleep(0)
        applied.append(thing)

    def fetch() -> Awaitable[Any]:
        return recorder.fetch_async()

    chosen: Any = recorder.fetch_async if kind == "coroutine function" else fetch
    run_in_asyncio(Renewal(chosen, apply=apply, on_event=recorder.on_event), lambda: recorder.has(CertificateRenewed))
    assert applied == recorder.results
    assert recorder.threads == {threading.main_thread()}


def test_a_task_that_is_cancelled_cancels_its_fetch(recorder: Recorder) -> None:
    cancelled = []

    async def fetch() -> Certificate:
        recorder.fetched += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return certificate(600)

    run_in_asyncio(Renewal(fetch, apply=recorder.apply), lambda: recorder.fetched)
    assert cancelled == [True]
    assert recorder.applied == []


def test_a_fetch_that_cancels_itself_is_a_failure(recorder: Recorder) -> None:
    async def fetch() -> Certificate:
        recorder.fetched += 1
        if recorder.fetched == 1:
            raise asyncio.CancelledError
        return certificate(60, lifetime=60)

    old = certificate(1, lifetime=10)
    run_in_asyncio(
        Renewal(fetch, apply=recorder.apply, certificate=old, on_event=recorder.on_event),
        lambda: recorder.has(CertificateRenewed),
    )
    assert "cancelled" in str(next(each.error for each in recorder.events if isinstance(each, RenewalFailed)))
