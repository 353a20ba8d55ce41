"""Makes new connections for a client of threads."""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from typing import TYPE_CHECKING

from ..._core.checks import StatusCallback
from ..._core.mailbox import Mailbox
from ..._core.runtime import is_running
from ...config import Config
from ...errors import ConnectFailed, GNSError, NotRunningError
from ...sync import Connection
from ...sync.client import connect_in
from .._core.addresses import Route, destination
from .._core.dialer import Caller, Dialer
from ..protocol.reasons import end_of_connection
from .discovery import ThreadInquiry

if TYPE_CHECKING:
    from ...certs import Expect

_log = logging.getLogger("gns_py")


class ThreadDialer(Dialer):
    """Makes each connection in a thread of its own."""

    def __init__(
        self,
        route: Route,
        inquiry: ThreadInquiry,
        config: Config | None,
        on_status_changed: StatusCallback | None,
        expect: Expect | None = None,
    ) -> None:
        super().__init__(route)
        self._inquiry = inquiry
        self._config = config
        self._on_status_changed = on_status_changed
        self._expect = expect
        self._hurry = threading.Event()
        self._lacks_thread = False
        self._is_cancelled = False
        self._mailbox: Mailbox | None = None

    def begin(self, caller: Caller, pause: float) -> None:
        """See Dialer. Without a thread, the ticker has it tried again."""
        self._hurry.clear()
        thread = threading.Thread(
            target=self._attempt, args=(weakref.ref(caller), pause), name="gns_py reconnect", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            self.is_dialing = False
            if not self._lacks_thread:
                _log.exception("no thread is left to connect again; it is tried again")
            self._lacks_thread = True
        else:
            self._lacks_thread = False

    def cancel(self) -> None:
        """See Dialer."""
        self._is_cancelled = True
        self._hurry.set()
        if (mailbox := self._mailbox) is not None:
            with contextlib.suppress(GNSError):  # stopped
                mailbox.wake()

    def hurry(self) -> None:
        """See Dialer."""
        self._hurry.set()

    def _stop(self, reference: weakref.ref[Caller]) -> None:
        self.is_dialing = False
        caller = reference()
        if caller is not None:
            caller.on_stopped()

    def _attempt(self, reference: weakref.ref[Caller], pause: float) -> None:
        connection: Connection | None = None
        end = None
        try:
            if pause > 0:
                self._hurry.wait(pause)
            if reference() is not None and not self._is_cancelled and self.route.is_round_over:
                self._inquiry.refresh()
            if reference() is not None and not self._is_cancelled:
                if not is_running():  # a mailbox would start it
                    raise NotRunningError("the runtime was stopped")
                where, timeout = self.next_address()
                mailbox = self._mailbox = Mailbox()
                connection = connect_in(
                    mailbox,
                    *destination(where),
                    timeout,
                    self._config,
                    self._on_status_changed,
                    expect=self._expect,
                    is_cancelled=lambda: self._is_cancelled,
                )
        except NotRunningError:
            self._stop(reference)
            return
        except ConnectFailed as error:
            end = end_of_connection(error.end, is_client=True)
        except (OSError, GNSError):
            pass  # no way to the server, or no room, at present
        except Exception as error:
            end = self.give_up(error)
        finally:
            self._mailbox = None
        self.finish(reference, connection, end)
