"""GNS's log: levels, the connection a line belongs to, how much is logged, and what must not be logged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import Peer, eventually

import gns_py
import gns_py.asyncio as gns_asyncio
import gns_py.sync as gns
from gns_py import Config, LogLevel

# GNS refuses this each time with a line of level ERROR: certificates are required, but there is no authority.
REFUSED = Config(ip_allow_without_auth=0)
REFUSAL = "No cert authority"
PYTHON_LEVELS = {
    LogLevel.BUG: logging.ERROR,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.IMPORTANT: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.MSG: logging.INFO,
    LogLevel.VERBOSE: logging.DEBUG,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.EVERYTHING: logging.DEBUG,
}
DETAILS = ["log_level_message", "log_level_packet_decode", "log_level_ack_rtt", "log_level_packet_gaps"]


class Log:
    """Return the records of GNS's log that have been made so far."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def records(self) -> list[logging.LogRecord]:
        gns_py.dispatch_logs()
        return [record for record in self._caplog.records if record.name == "gns_py.native"]

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    def about(self, connection: str) -> list[logging.LogRecord]:
        return [record for record in self.records if vars(record)["gns_connection"] == connection]

    @property
    def messages(self) -> list[str]:
        """Return those of the records that other modules made."""
        return self._caplog.messages

    def clear(self) -> None:
        gns_py.dispatch_logs()
        self._caplog.clear()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    caplog.set_level(logging.DEBUG, "gns_py.native")
    yield Log(caplog)
    gns_py.set_log_level(LogLevel.WARNING)


@pytest.fixture
def pair() -> Iterator[tuple[gns.Connection, gns.Connection]]:
    a, b = gns.socket_pair(network=True)
    with a, b:
        yield a, b


def config_of(name: str, value: object) -> Config:
    options: dict[str, Any] = {name: value}
    return Config(**options)


def exchange(a: gns.Connection, b: gns.Connection, count: int = 1) -> None:
    """Send messages both ways until they are acknowledged."""
    for sender, reader in ((a, b), (b, a)):
        sender.send_many([b"x"] * count)
        for _ in range(count):
            reader.recv(timeout=5.0)
        until_acknowledged(sender)


def until_acknowledged(sender: gns.Connection) -> None:
    """Log in a loop that reads no events and makes no records."""
    eventually(lambda: sender.send_queue().messages == 0, 20.0, "the acknowledgement")


def refuse(count: int) -> None:
    for _ in range(count):
        with pytest.raises(gns_py.ListenError, match=REFUSAL):
            gns.listen("127.0.0.1", 27015, config=REFUSED)


# ---- levels ----------------------------------------------------------------------------------------------------------


@pytest.mark.native_errors(REFUSAL)
def test_each_level_has_its_level_of_logging(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    gns_py.set_log_level(LogLevel.EVERYTHING)
    a, b = pair
    a.set_config(Config(log_level_packet_decode=LogLevel.EVERYTHING))
    exchange(a, b)
    a.send(bytes(20_000), reliable=False)  # GNS warns that it makes the message reliable
    b.recv(timeout=5.0)
    a.close()
    refuse(1)
    seen = {vars(record)["gns_level"]: record.levelno for record in log.records}
    assert seen.keys() >= {LogLevel.ERROR, LogLevel.WARNING, LogLevel.MSG, LogLevel.VERBOSE, LogLevel.DEBUG}
    assert seen == {level: PYTHON_LEVELS[level] for level in seen}
    assert all(isinstance(level, LogLevel) for level in seen)


def test_the_level_can_be_set_while_connections_run(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    a, _ = pair
    log.clear()
    a.send(bytes(20_000), reliable=False)
    eventually(lambda: log.lines, what="a warning")
    assert {record.levelno for record in log.records} == {logging.WARNING}
    for level, expected in ((LogLevel.MSG, True), (LogLevel.WARNING, False), (LogLevel.VERBOSE, True)):
        gns_py.set_log_level(level)
        log.clear()
        for end in gns.socket_pair(network=True):
            end.close()
        assert bool(log.lines) == expected, level
        assert all(vars(record)["gns_level"] <= level for record in log.records)


def test_the_level_stays_over_stop_and_start(log: Log) -> None:
    gns_py.set_log_level(LogLevel.MSG)
    gns_py.start()
    gns_py.stop()
    log.clear()
    with contextlib.ExitStack() as stack:
        for end in gns.socket_pair(network=True):
            stack.enter_context(end)
    assert any("connected" in line for line in log.lines)


# ---- the connection --------------------------------------------------------------------------------------------------


def test_records_name_their_connection(log: Log) -> None:
    gns_py.set_log_level(LogLevel.MSG)
    with gns.listen("127.0.0.1", 0) as listener, gns.connect(*listener.address, wait=False) as client:
        server = listener.accept(timeout=5.0)
        eventually(lambda: log.about(client.description), what="the line that it is connected")
        log.clear()
        client.name = "Zoë's"
        named = client.description
        assert named.endswith(" 'Zoë's'")
        server.close(1234, "that's all")
        client.wait_closed(timeout=5.0)
        assert log.about(server.description)
        (record,) = log.about(named)
        assert record.getMessage() == f"[{named}] closed by peer (1234): that's all"
    assert all(vars(record)["gns_connection"] in record.getMessage() for record in log.records)


def test_a_connection_is_named_with_its_ipv6_address_and_identity(log: Log) -> None:
    gns_py.set_log_level(LogLevel.MSG)
    gns_py.start("str:with [brackets] and 'quotes'")
    try:
        listener = gns.listen("::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    with listener, gns.connect(*listener.address, wait=False) as client:
        server = listener.accept(timeout=5.0)
        assert "[brackets] and" in server.description
        assert "[::1]" in server.description
        server.close()
        client.wait_closed(timeout=5.0)
        assert log.about(server.description)
        assert log.about(client.description)


def test_a_peer_s_text_names_no_connection(log: Log) -> None:
    """Text that looks like a description but is not at the beginning of what GNS logs."""
    gns_py.set_log_level(LogLevel.MSG)
    forged = "[#1 UDP 10.0.0.1:1] connected"
    a, b = gns.socket_pair(network=True)
    a.close(1000, forged)
    b.wait_closed(timeout=5.0)
    assert any(forged in line for line in log.lines)
    assert log.about("#1 UDP 10.0.0.1:1") == []
    b.close()


def test_lines_about_no_connection_name_none(log: Log) -> None:
    gns_py.set_log_level(LogLevel.MSG)
    gns_py.stop()
    gns_py.start()
    assert log.records
    assert {vars(record)["gns_connection"] for record in log.records} == {""}


def test_a_peer_cannot_forge_lines(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    gns_py.set_log_level(LogLevel.MSG)
    a, b = pair
    a.close(1000, "bye\nERROR all is lost\r\x1b[31m\t\u202eé")
    b.wait_closed(timeout=5.0)
    (line,) = [line for line in log.lines if "closed by peer" in line]
    assert line.endswith(r"bye\nERROR all is lost\r\x1b[31m\t\u202eé")
    assert all(line.isprintable() for line in log.lines)


# ---- details of one connection ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "level"),
    [
        *((option, LogLevel.WARNING) for option in DETAILS),
        *((DETAILS[0], level) for level in (LogLevel.ERROR, LogLevel.MSG)),
    ],
    ids=str,
)
def test_details_of_one_connection_only(
    log: Log, process_config: Callable[[Config], None], option: str, level: LogLevel
) -> None:
    gns_py.set_log_level(level)
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(end) for _ in range(2) for end in gns.socket_pair(network=True)]
        if option == "log_level_packet_gaps":
            process_config(Config(fake_packet_loss_send=20))
        talkative, *others = ends
        talkative.set_config(config_of(option, LogLevel.EVERYTHING))
        log.clear()

        def logged() -> bool:
            for a, b in zip(ends[::2], ends[1::2], strict=True):
                exchange(a, b, 5)
            return bool(log.about(talkative.description))

        eventually(logged, 20.0, "a line of detail")
        assert any(record.levelno < logging.WARNING for record in log.about(talkative.description))
        for other in others:
            assert log.about(other.description) == []
        talkative.set_config(config_of(option, LogLevel.ERROR))
        log.clear()
        for _ in range(5):
            exchange(ends[0], ends[1], 5)
        assert log.lines == []


def test_details_of_the_connections_of_one_listen_socket(log: Log) -> None:
    config = Config(log_level_message=LogLevel.VERBOSE)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(gns.listen("127.0.0.1", 0, config=config))
        client = stack.enter_context(gns.connect(*listener.address, wait=False))
        server = stack.enter_context(listener.accept(timeout=5.0))
        exchange(client, server)
        assert {vars(record)["gns_connection"] for record in log.records} == {server.description}


def test_details_of_all_connections(
    log: Log, process_config: Callable[[Config], None], pair: tuple[gns.Connection, gns.Connection]
) -> None:
    process_config(Config(log_level_message=LogLevel.VERBOSE))
    exchange(*pair)
    assert {vars(record)["gns_connection"] for record in log.records} == {end.description for end in pair}


def test_the_level_alone_brings_no_details(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    gns_py.set_log_level(LogLevel.EVERYTHING)
    log.clear()
    exchange(*pair)
    assert [line for line in log.lines if "Message" in line or "pkt" in line] == []


def test_none_is_none(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    gns_py.set_log_level(LogLevel.NONE)
    a, b = pair
    a.set_config(Config(log_level_message=LogLevel.EVERYTHING))
    exchange(a, b)
    assert log.lines == []


# ---- how much --------------------------------------------------------------------------------------------------------


@pytest.mark.native_errors(REFUSAL)
def test_too_many_alike_become_one_line(log: Log) -> None:
    refuse(200)
    assert len(log.lines) == 10
    assert len(set(log.lines)) == 1
    gns_py.stop()  # reports how many were left out
    *_, last = log.records
    assert last.getMessage() == f"190 more like this within 3 s: {log.lines[0]}"
    assert vars(last)["gns_level"] is LogLevel.ERROR
    assert len(log.lines) == 11


@pytest.mark.native_errors(REFUSAL)
def test_what_was_left_out_is_told_by_itself(log: Log) -> None:
    refuse(30)
    a, b = gns.socket_pair()
    with a, b:

        def told() -> list[str]:
            a.send(b"x")
            b.recv(timeout=5.0)  # an event: reading it makes records, too
            return [line for line in log.messages if line.startswith("20 more like this")]

        eventually(told, 10.0, "the line that tells")
        refuse(1)  # the count starts again
        assert REFUSAL in log.lines[-1]
        assert "more like this" not in log.lines[-1]


@pytest.mark.native_errors(REFUSAL)
def test_many_of_one_kind_do_not_hide_another(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    refuse(100)
    pair[0].send(bytes(20_000), reliable=False)
    eventually(lambda: [line for line in log.lines if "20000 bytes" in line], what="the other line")


def test_details_are_complete(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    a, b = pair
    a.set_config(Config(log_level_message=LogLevel.VERBOSE))
    exchange(a, b, 200)
    sent = [line for line in log.lines if "SendMessage" in line]
    received = [line for line in log.lines if "RecvMessage" in line]
    assert (len(sent), len(received)) == (200, 200)


def test_unfetched_lines_are_counted(log: Log, pair: tuple[gns.Connection, gns.Connection]) -> None:
    a, _ = pair
    a.set_config(Config(log_level_message=LogLevel.VERBOSE))
    for _ in range(30):
        a.send_many([b"x"] * 100)
    until_acknowledged(a)
    assert "1976 lines of GNS's log were lost: not fetched in time" in log.lines
    assert len([line for line in log.lines if "SendMessage" in line]) == 1024


def test_an_asyncio_program_gets_records(log: Log) -> None:
    async def main() -> None:
        a, b = gns_asyncio.socket_pair(network=True)
        async with a, b:
            a.send(bytes(20_000), reliable=False)
            await b.recv()

    asyncio.run(main())
    assert any("20000 bytes" in line for line in log.messages)


# ---- bugs ------------------------------------------------------------------------------------------------------------


@pytest.mark.native_errors("didn't accept or close")
def test_where_gns_blames_the_application_no_bug_is_to_be_reported(log: Log) -> None:
    with (
        gns.listen("127.0.0.1", 0, config=Config(timeout_initial=200)) as listener,
        gns.connect(*listener.address, wait=False, timeout=5.0) as client,
    ):
        eventually(lambda: [line for line in log.lines if "didn't accept or close" in line], 10.0, "GNS's complaint")
        (record,) = [record for record in log.records if record.levelno == logging.ERROR]
        assert vars(record)["gns_level"] is LogLevel.BUG
        assert "report" not in record.getMessage()
        assert vars(record)["gns_connection"].startswith("#")
        client.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of descriptors to reach")
def test_a_failed_assertion_is_an_error_with_a_hint_to_report_it(peer: Callable[..., Peer]) -> None:
    program = peer(
        """
        import logging, os, resource
        import gns_py, gns_py.sync as gns
        logging.basicConfig(format="%(levelname)s %(name)s %(gns_level)s %(message)s")
        gns_py.start()
        lowest = os.open(os.devnull, os.O_RDONLY)
        limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
        try:
            gns.socket_pair(network=True)
        except gns_py.GNSError as error:
            print(type(error).__name__)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        gns_py.stop()
        print("done")
        """
    )
    assert program.line() == "SocketError"
    assert program.line() == "done"
    assert program.wait() == 0
    (line,) = [line for line in program.stderr.splitlines() if "BUG" in line]
    assert line.startswith("ERROR gns_py.native BUG ")
    assert "Failed to create UDP socket pair" in line
    assert line.endswith(" (a bug in gns_py or in GNS: please report it)")


def test_without_any_set_up_of_logging_warnings_go_to_stderr(peer: Callable[..., Peer]) -> None:
    program = peer(
        """
        import gns_py, gns_py.sync as gns
        a, b = gns.socket_pair(network=True)
        with a, b:
            a.send(bytes(20_000), reliable=False)
            b.recv(timeout=5.0)
        """
    )
    assert program.wait() == 0
    assert "20000 bytes" in program.stderr
    assert len(program.stderr.splitlines()) == 1
