"""Texts from a peer are data: wherever they are shown, they can neither forge a line nor control a terminal."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator

import pytest
from support import Api, eventually, next_request

import gns_py
from gns_py import ConnectFailed, ConnectionClosedError, Identity, LogLevel
from gns_py.sync import Connection

# A forged line, terminal sequences (also as one character), a right-to-left mark, a line separator, an invisible
# character, and text that must stay as it is.
TEXTS = [
    "a\nERROR all is lost",
    "a\r\x1b[2Jb",
    "\x9b31mred",
    "\u202egnp.exe",
    "a\u2028b",
    "\ufeff\u200b",
    "Grüße, 世界",
]
every_text = pytest.mark.parametrize("text", TEXTS, ids=ascii)
PLAIN = TEXTS[-1]


def check_shown(*texts: str) -> None:
    for text in texts:
        assert text.isprintable(), ascii(text)


@pytest.fixture(autouse=True)
def _all_of_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every logged record, those of GNS included, is one printable line."""
    caplog.set_level(logging.DEBUG, "gns_py")
    yield
    check_shown(*(record.getMessage() for record in caplog.records))
    gns_py.set_log_level(LogLevel.WARNING)


@every_text
def test_the_text_of_an_end(api: Api, text: str) -> None:
    gns_py.set_log_level(LogLevel.VERBOSE)

    def leave(connection: Connection) -> None:
        connection.close(2000, text)

    with api.serve(leave, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(timeout=5.0)
        error, end = closed.value, closed.value.end
        check_shown(str(error), repr(error), str(end), repr(end), repr(client), repr(client.info()))
        check_shown(str(pickle.loads(pickle.dumps(error))))
        assert (error.text, end.text) == (text, text)
        assert (text in str(end)) == (text == PLAIN)
        shown = "".join(traceback.format_exception_only(ConnectionClosedError, error))
        assert shown.count("\n") == 1


@every_text
def test_the_text_of_a_refusal(api: Api, text: str) -> None:
    with api.listen("127.0.0.1", 0) as listener, api.connect(*listener.address, wait=False) as client:
        next_request(listener).reject(1003, text)
        eventually(lambda: client.end)
        assert client.end is not None
        assert client.end.text == text
        check_shown(repr(client), str(ConnectFailed(client.end)))


@every_text
def test_the_end_of_another_connection_in_the_log_of_a_handler(
    api: Api, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The record of a failed handler has the peer's text in its traceback."""

    def fail(connection: Connection) -> None:
        assert connection.recv() == b"go"
        other, peer = api.socket_pair()
        with other:
            peer.close(2000, text)
            other.recv()

    with api.serve(fail, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        client.send(b"go")
        with pytest.raises(ConnectionClosedError):
            client.recv(timeout=5.0)
        eventually(lambda: [record for record in caplog.records if record.levelno == logging.ERROR])
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    check_shown(str(record.exc_info[1]))


@pytest.mark.parametrize("name", ["a\nERROR lost", "\x1b[2Jb\u202ec", "Grüße"], ids=ascii)
def test_an_identity(api: Api, name: str) -> None:
    identity = Identity.string(name)
    gns_py.start(identity)
    gns_py.set_log_level(LogLevel.VERBOSE)

    def echo(connection: Connection) -> None:
        for data in connection:
            connection.send(data)

    with api.serve(echo, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        client.name = "\x1b[1m\nbold"
        client.send(b"x")
        client.recv(timeout=5.0)
        assert client.remote_identity == identity
        check_shown(repr(client.remote_identity), repr(client), repr(client.info()), client.description)
        details = client.details()
        check_shown(*details.split("\n"))
        assert "ERROR lost" not in details.split("\n")
