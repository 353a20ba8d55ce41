"""A program that has a certificate of its own: a server or a client in another process, told in lines of JSON.

It has connections, or sessions if it is told so. Told to pass on, its server is an attacker between both: it ends the
encryption of its clients, and begins another one with the server at that port.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import gns_py.session.sync
import gns_py.sync
from gns_py import ConnectFailed, ConnectionClosed
from gns_py.certs import Certificate, Credentials, Expect
from gns_py.sync import Connection, connect


def certificate(told: dict[str, Any]) -> Credentials | bytes | None:
    """Return what to present."""
    if "certificate" not in told:
        return None
    data = bytes.fromhex(told["certificate"])
    return Credentials(Certificate(data), bytes.fromhex(told["private_key"])) if "private_key" in told else data


def about(connection: Connection) -> dict[str, Any]:
    """Return what is known about the other end."""
    key = connection.remote_key
    return {
        "identity": str(connection.remote_identity),
        "authenticated": connection.authenticated,
        "key": None if key is None else key.hex(),
    }


def api(told: dict[str, Any]) -> Any:
    """Return the layer that is wanted."""
    return gns_py.session.sync if told.get("sessions") else gns_py.sync


class Program:
    """Does what it is told."""

    def __init__(self) -> None:
        self._server: Any = None
        self._ends: list[dict[str, Any]] = []
        self._ended = threading.Condition()
        self._connection: Connection | None = None

    def start(self, told: dict[str, Any]) -> object:
        trust = [bytes.fromhex(each) for each in told["trust"]] if "trust" in told else None
        gns_py.start(
            told.get("identity"),
            certificate=certificate(told),
            trust=trust,
            require_authentication=told.get("require_authentication"),
        )
        return "started"

    def request(self, _: dict[str, Any]) -> object:
        return gns_py.request_certificate().hex()

    def renew(self, told: dict[str, Any]) -> object:
        wanted = certificate(told)
        assert wanted is not None
        gns_py.renew(wanted)
        return "renewed"

    def serve(self, told: dict[str, Any]) -> object:
        handler = self._pass_on(told["pass_on"]) if "pass_on" in told else self._echo
        require_authentication = told.get("require_authentication")
        self._server = api(told).serve(handler, "127.0.0.1", 0, require_authentication=require_authentication)
        return self._server.address.port

    def ends(self, told: dict[str, Any]) -> object:
        """Return the ends of its connections, once this many have ended."""
        with self._ended:
            assert self._ended.wait_for(lambda: len(self._ends) >= told["count"], 10.0)
            return self._ends

    def connect(self, told: dict[str, Any]) -> object:
        expect = Expect(told.get("identity"), told.get("keys", ())) if "identity" in told or "keys" in told else None
        try:
            connection = api(told).connect("127.0.0.1", told["port"], expect=expect)
        except (ConnectFailed, gns_py.session.sync.SessionFailed) as error:
            return {"code": error.code, "text": error.text, "closed_by": error.end.closed_by.name}
        self._connection = connection
        connection.send(b"hello")
        return about(connection) | {"echo": connection.recv(10.0).decode()}

    def exchange(self, told: dict[str, Any]) -> object:
        """Send a message, on a new connection if there is a port, and return the next one that arrives."""
        if "port" in told:
            self._connection = connect("127.0.0.1", told["port"])
        assert self._connection is not None
        if "data" in told:
            self._connection.send(bytes.fromhex(told["data"]), nagle=False)
        return self._connection.recv(10.0).hex()

    def leave(self, _: dict[str, Any]) -> object:
        """Close the last connection."""
        assert self._connection is not None
        self._connection.close()
        return "left"

    def again(self, _: dict[str, Any]) -> object:
        """Send something on the last connection, and return what comes back."""
        assert self._connection is not None
        self._connection.send(b"again")
        return self._connection.recv(10.0).decode()

    def _echo(self, connection: Connection) -> None:
        known = about(connection)
        try:
            for message in connection:
                connection.send(message)
            connection.close()
        finally:
            end = connection.wait_closed(10.0)
            with self._ended:
                self._ends.append(known | {"code": end.code, "text": end.text})
                self._ended.notify_all()

    def _pass_on(self, port: int) -> Callable[[Connection], None]:
        def handler(client: Connection) -> None:
            with connect("127.0.0.1", port) as server:
                try:
                    for message in client:
                        server.send(message)
                        client.send(server.recv(10.0) + b", read by another")
                except ConnectionClosed:
                    return

        return handler


def main() -> None:
    """Run the program."""
    program = Program()
    for line in sys.stdin:
        told = json.loads(line)
        try:
            answer = getattr(program, told.pop("do"))(told)
        except Exception as error:
            answer = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
