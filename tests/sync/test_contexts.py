"""Handlers and callbacks run in the context (contextvars) of serve(), listen() and connect(), in any thread."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest

import gns_py.session.sync as session
import gns_py.sync as gns

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.mark.parametrize("api", [gns, session], ids=["connection", "session"])
def test_of_a_server_and_its_clients(api: Any) -> None:
    seen: set[tuple[str, str]] = set()
    together = threading.Barrier(3)

    def note(what: str) -> Any:
        def call(_: object) -> None:
            seen.add((what, who.get()))
            who.set("a callback")

        return call

    def handler(connection: Any) -> None:
        together.wait(10)  # all of them run in that context at the same time
        seen.add(("handler", who.get()))
        who.set("a handler")
        for data in connection:
            connection.send(data)

    def decide(request: Any) -> None:
        note("on_request")(request)
        request.accept()

    def main() -> None:
        who.set("the server")
        more = {"on_request": decide} if api is session else {}
        with api.serve(handler, "127.0.0.1", 0, on_status_changed=note("server"), **more) as server:
            who.set("the client")
            clients = [api.connect(*server.address, on_status_changed=note("client")) for _ in range(3)]
            for client in clients:
                client.send(b"x")
            for client in clients:
                client.recv(timeout=5.0)
                client.close()
        assert who.get() == "the client"

    contextvars.copy_context().run(main)
    expected = {("handler", "the server"), ("server", "the server"), ("client", "the client")}
    if api is session:
        expected.add(("on_request", "the server"))
    assert seen == expected


def test_a_callback_in_the_thread_that_reads() -> None:
    seen: set[str] = set()

    def main() -> gns.Connection:
        who.set("the client")
        return gns.connect(*server.address, on_status_changed=lambda _: seen.add(who.get()))

    with gns.serve(lambda connection: connection.close(), "127.0.0.1", 0) as server:
        connection = contextvars.copy_context().run(main)
        who_reads = threading.Thread(target=lambda: connection.wait_closed(5.0))
        who_reads.start()
        who_reads.join()
        connection.close()
    assert seen == {"the client"}
