"""Process-wide matters: start and stop, its identity, its options, GNS's log."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, Peer

import gns_py
import gns_py.sync as gns
from gns_py import Config, ConfigError, ConfigValue, Identity, InvalidStateError, LogLevel

# ---- start and stop --------------------------------------------------------------------------------------------------


def test_the_first_use_starts_it_and_stop_ends_it() -> None:
    assert not gns_py.is_running()
    with gns.listen("127.0.0.1", 0):
        assert gns_py.is_running()
    gns_py.stop()
    assert not gns_py.is_running()
    gns_py.stop()
    assert not gns_py.is_running()


def test_starting_again_under_the_same_identity_does_nothing() -> None:
    gns_py.start("str:alice")
    gns_py.start(Identity.string("alice"))
    assert gns_py.local_identity() == Identity.string("alice")


def test_starting_again_under_another_identity_is_refused() -> None:
    gns_py.start("str:alice")
    with pytest.raises(InvalidStateError, match="GNS already runs as str:alice: stop it before it starts as str:bob"):
        gns_py.start("str:bob")
    gns_py.start()
    assert gns_py.local_identity() == Identity.string("alice")
    gns_py.stop()
    gns_py.start("str:bob")
    assert gns_py.local_identity() == Identity.string("bob")


def test_without_an_identity_it_is_localhost() -> None:
    assert gns_py.local_identity() == Identity.localhost()


@pytest.mark.parametrize(
    "identity",
    [
        Identity.string("x" * 31),
        Identity.bytes(bytes(range(32))),
        Identity.parse("ip:10.0.0.1:27015"),
        Identity.steam_id(76561197960287930),
    ],
    ids=str,
)
def test_peers_see_the_identity(identity: Identity) -> None:
    gns_py.start(identity)
    assert gns_py.local_identity() == identity

    def tell(connection: gns.Connection) -> None:
        connection.send(str(connection.remote_identity).encode())

    with (
        gns.serve(tell, "127.0.0.1", 0) as server,
        gns.connect(*server.address) as connection,
    ):
        assert connection.remote_identity == identity
        assert connection.recv(timeout=5.0) == str(identity).encode()


@pytest.mark.parametrize(
    ("identity", "exception"),
    [
        ("alice", ValueError),
        ("", ValueError),
        ("str:", ValueError),
        ("str:" + "x" * 32, ValueError),
        (5, TypeError),
        (b"str:a", TypeError),
    ],
)
def test_wrong_identities_start_nothing(identity: Any, exception: type[Exception]) -> None:
    with pytest.raises(exception):
        gns_py.start(identity)
    assert not gns_py.is_running()


@pytest.mark.parametrize(
    ("linger", "exception", "text"),
    [
        (-1, ValueError, "linger is -1: it must not be negative"),
        (math.nan, ValueError, "linger is nan: it must not be negative"),
        ("1", TypeError, "linger must be seconds, not str"),
        (None, TypeError, "linger must be seconds, not NoneType"),
        (True, TypeError, "linger must be seconds, not bool"),
    ],
)
def test_wrong_times_stop_nothing(linger: Any, exception: type[Exception], text: str) -> None:
    gns_py.start()
    with pytest.raises(exception) as wrong:
        gns_py.stop(linger)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text
    assert gns_py.is_running()


@pytest.mark.parametrize("linger", [0, 0.5, math.inf, 1e300])
def test_stop_waits_no_longer_than_there_is_something_to_deliver(linger: float) -> None:
    gns_py.start()
    began = time.monotonic()
    gns_py.stop(linger)
    assert time.monotonic() - began < 3.0 * PATIENCE


def test_stop_delivers_what_was_sent_before_the_close(peer: Callable[..., Peer]) -> None:
    program = peer(
        """
        import gns_py.sync as gns
        with gns.listen("127.0.0.1", 0) as listener:
            print(listener.address.port)
            with listener.accept(timeout=10.0) as connection:
                print(sum(map(len, connection)), connection.end.code)
        """
    )
    connection = gns.connect("127.0.0.1", int(program.line()))
    for _ in range(50):
        connection.send(bytes(4096))
    connection.close()
    gns_py.stop()
    assert program.line() == f"{50 * 4096} 1000"


def test_the_clock_is_monotonic_and_needs_no_start() -> None:
    times = [gns_py.time_us() for _ in range(1000)]
    assert times == sorted(times)
    time.sleep(0.05)
    assert 45_000 < gns_py.time_us() - times[-1] < 1_000_000
    assert not gns_py.is_running()


# ---- options ---------------------------------------------------------------------------------------------------------


def test_options_of_the_process_are_defaults_for_its_connections(process_config: Callable[[Config], None]) -> None:
    assert gns_py.get_config(ConfigValue.NAGLE_TIME) == 5000
    process_config(Config(nagle_time=0, send_rate_min=300_000, send_rate_max=300_000, recv_queue_messages=99))
    assert gns_py.get_config(ConfigValue.NAGLE_TIME) == 0
    with (
        gns.listen("127.0.0.1", 0, config=Config(nagle_time=1000)) as listener,
        gns.connect("127.0.0.1", listener.address.port, wait=False) as client,
    ):
        server = listener.accept(timeout=5.0)
        for connection, nagle_time in ((client, 0), (server, 1000)):
            assert connection.get_config(ConfigValue.NAGLE_TIME) == nagle_time
            assert connection.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 99
            assert connection.stats().send_rate == 300_000
    gns_py.reset_config(ConfigValue.NAGLE_TIME)
    assert gns_py.get_config(ConfigValue.NAGLE_TIME) == 5000
    assert gns_py.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 99
    gns_py.reset_config()
    assert gns_py.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 65536


def test_options_stay_over_stop_and_start(process_config: Callable[[Config], None]) -> None:
    process_config(Config(fake_packet_lag_send=7, fake_packet_loss_recv=2.5))
    gns_py.stop()
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LAG_SEND) == 7
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LOSS_RECV) == 2.5
    gns_py.reset_config()
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LAG_SEND) == 0


@pytest.mark.parametrize("option", list(ConfigValue), ids=str)
def test_every_option_can_be_read_set_and_reset(option: ConfigValue) -> None:
    name = option.option_name
    if option not in gns_py.list_config():
        assert option in (ConfigValue.ECN, ConfigValue.MTU_DATA_SIZE)  # for Windows, and read-only
        return
    default = gns_py.get_config(option)
    assert type(default) is type(option.default)
    if name not in Config.__dataclass_fields__:  # internal to the core
        with pytest.raises(ConfigError):
            gns_py.reset_config(option)
        return
    assert default == pytest.approx(option.default)
    values: list[Any] = ["192.0.2.1:1,192.0.2.2:2"] if option.maximum is None else [option.minimum, option.maximum]
    for value in values:
        config = Config(**{name: value})
        gns_py.set_config(config)
        assert gns_py.get_config(option) == pytest.approx(value)
    gns_py.reset_config(option)
    assert gns_py.get_config(option) == default


def test_wrong_options() -> None:
    wrong: Any = {"nagle_time": 0}
    with pytest.raises(TypeError, match=r"^config must be a Config, not dict$"):
        gns_py.set_config(wrong)
    wrong = "nagle_time"
    for use in (gns_py.get_config, gns_py.reset_config):
        with pytest.raises(TypeError, match=r"^option must be a ConfigValue, not str$"):
            use(wrong)
    with pytest.raises(
        ConfigError, match=r"^recv_buffer_size: the option is reserved; set recv_queue_bytes or recv_queue_messages$"
    ):
        gns_py.reset_config(ConfigValue.RECV_BUFFER_SIZE)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has it")
def test_an_option_that_this_build_does_not_have() -> None:
    assert ConfigValue.ECN not in gns_py.list_config()
    with pytest.raises(ConfigError, match=r"^ecn: there is no such option$"):
        gns_py.set_config(Config(ecn=1))


# ---- the log ---------------------------------------------------------------------------------------------------------


def test_lines_of_the_log_are_records_of_their_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "gns_py.native")
    gns_py.set_log_level(LogLevel.DEBUG)
    try:
        with gns.listen("127.0.0.1", 0) as listener, gns.connect("127.0.0.1", listener.address.port, wait=False):
            listener.accept(timeout=5.0).close()
        gns_py.dispatch_logs()
    finally:
        gns_py.set_log_level(LogLevel.WARNING)
    records = [record for record in caplog.records if record.name == "gns_py.native"]
    levels = {vars(record)["gns_level"] for record in records}
    assert max(levels) > LogLevel.WARNING
    assert all(isinstance(level, LogLevel) for level in levels)
    assert any("127.0.0.1" in record.getMessage() for record in records)
    caplog.clear()
    with gns.listen("127.0.0.1", 0):
        pass
    gns_py.dispatch_logs()
    assert [record for record in caplog.records if record.levelno < logging.WARNING] == []


# GNS itself refuses this: certificates are required, but there is no authority.
REFUSED = gns_py.Config(ip_allow_without_auth=0)


@pytest.mark.native_errors("No cert authority")
def test_errors_of_gns_are_errors_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(gns_py.ListenError) as refused:
        gns.listen("127.0.0.1", 27015, config=REFUSED)
    gns_py.dispatch_logs()
    records = [record for record in caplog.records if record.name == "gns_py.native"]
    assert [record.levelno for record in records if record.levelno >= logging.ERROR] == [logging.ERROR]
    assert records[-1].getMessage() in str(refused.value)


def test_no_lines_at_all(caplog: pytest.LogCaptureFixture) -> None:
    gns_py.set_log_level(LogLevel.NONE)
    try:
        with pytest.raises(gns_py.ListenError):
            gns.listen("127.0.0.1", 27015, config=REFUSED)
        gns_py.dispatch_logs()
    finally:
        gns_py.set_log_level(LogLevel.WARNING)
    assert [record for record in caplog.records if record.name == "gns_py.native"] == []


@pytest.mark.parametrize("level", [-1, 9, "WARNING", None])
def test_wrong_log_levels(level: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid LogLevel"):
        gns_py.set_log_level(level)
