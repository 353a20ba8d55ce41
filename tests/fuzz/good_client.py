"""A client that keeps to the protocol, in a process of its own, and measures its round trips. Argument: the port.

For each line on stdin it prints, as JSON, the round trips since the last line, in milliseconds, sorted except for the
last: the one in progress, which counts with the time it has taken up to then. If the client has failed, the reason
follows.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import gns_py.session.sync as gns
from gns_py.session import SessionConfig

PERIOD = 0.005
GIVE_UP = 60.0


class Meter:
    """The measurements since the last report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._round_trips: list[float] = []
        self._began: float | None = None
        self._failure: str | None = None

    def measure(self, port: int) -> None:
        """Run until the session ends, which it must not."""
        number = 0
        try:
            session = gns.connect("127.0.0.1", port, session_config=SessionConfig(ping_timeout=None), timeout=GIVE_UP)
            while True:
                number += 1
                with self._lock:
                    self._began = time.perf_counter()
                session.send(b"%d" % number, nagle=False)
                answer = session.recv(timeout=GIVE_UP)
                with self._lock:
                    assert self._began is not None
                    self._round_trips.append(time.perf_counter() - self._began)
                    self._began = None
                if answer != b"%d" % number:
                    raise AssertionError(f"the answer to {number} is {answer!r}")
                time.sleep(PERIOD)
        except Exception as error:
            self._failure = f"{type(error).__name__}: {error}"

    def tell(self) -> str:
        """Return it as JSON."""
        with self._lock:
            times = sorted(1e3 * each for each in self._round_trips)
            self._round_trips.clear()
            if self._began is not None and self._failure is None:
                times.append(1e3 * (time.perf_counter() - self._began))
        return json.dumps({"times": [round(each, 2) for each in times], "failure": self._failure})


def main(port: int) -> None:
    meter = Meter()
    threading.Thread(target=meter.measure, args=(port,), daemon=True).start()
    for _ in sys.stdin:
        print(meter.tell(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
