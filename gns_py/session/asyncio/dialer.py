"""Makes new connections for a client of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING

from ..._core.checks import StatusCallback
from ...asyncio import Connection, connect
from ...asyncio.waiters import forget
from ...config import Config
from ...errors import ConnectFailed, GNSError
from .._core.addresses import Route, destination
from .._core.dialer import Caller, Dialer
from ..protocol.reasons import end_of_connection
from .discovery import LoopInquiry

if TYPE_CHECKING:
    from ...certs import Expect


class LoopDialer(Dialer):
    """Makes each connection in a task of its own, in the loop in which this was made."""

    def __init__(
        self,
        route: Route,
        inquiry: LoopInquiry,
        config: Config | None,
        on_status_changed: StatusCallback | None,
        expect: Expect | None = None,
    ) -> None:
        super().__init__(route)
        self._inquiry = inquiry
        self._config = config
        self._on_status_changed = on_status_changed
        self._expect = expect
        self._loop = asyncio.get_running_loop()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self, caller: Caller, pause: float) -> None:
        """See Dialer. Any thread: an application may call reconnect() on another one."""
        self._loop.call_soon_threadsafe(self._start, weakref.ref(caller), pause)

    def _start(self, reference: weakref.ref[Caller], pause: float) -> None:
        self._hurry.clear()
        self._task = self._loop.create_task(self._attempt(reference, pause), name="gns_py reconnect")
        forget(self._task)

    def cancel(self) -> None:
        """See Dialer."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def hurry(self) -> None:
        """See Dialer."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._hurry.set)

    async def _attempt(self, reference: weakref.ref[Caller], pause: float) -> None:
        connection: Connection | None = None
        end = None
        try:
            if pause > 0:
                timer = self._loop.call_later(pause, self._hurry.set)
                try:  # not by wait_for(), whose own task the loop complains of if it is closed meanwhile
                    await self._hurry.wait()
                finally:
                    timer.cancel()
            if reference() is not None and self.route.is_round_over:
                await self._inquiry.refresh()
            if reference() is not None:
                where, timeout = self.next_address()
                connection = await connect(
                    *destination(where),
                    timeout=timeout,
                    config=self._config,
                    expect=self._expect,
                    on_status_changed=self._on_status_changed,
                )
        except ConnectFailed as error:
            end = end_of_connection(error.end, is_client=True)
        except (OSError, GNSError):
            pass  # no way to the server, or no room, at present
        except Exception as error:
            end = self.give_up(error)
        except BaseException:
            self.is_dialing = False
            raise
        self.finish(reference, connection, end)
