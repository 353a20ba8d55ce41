"""Every option at every scope that it has, before and after its object exists."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest
from support import PATIENCE, eventually, until_connected

import gns_py
import gns_py.sync as gns
from gns_py import Config, ConfigError, ConfigScope, ConfigType, ConfigValue, ConnectionState, InfoFlags

FIELDS = Config.__dataclass_fields__
OPTIONS = [option for option in ConfigValue if option.option_name in FIELDS]
CONNECTION_OPTIONS = [option for option in OPTIONS if option.scope is ConfigScope.CONNECTION]
GLOBAL_OPTIONS = [option for option in OPTIONS if option.scope is ConfigScope.GLOBAL]
# P2P only: GNS refuses to make anything else with it.
SYMMETRIC = ConfigValue.SYMMETRIC_CONNECT
# GNS does not lock this one for connections other than P2P, where it has no effect.
P2P_LOCKED = {ConfigValue.LOCAL_VIRTUAL_PORT}
LOCKED = [option for option in CONNECTION_OPTIONS if option.locked_after_connect and option not in P2P_LOCKED]
CHANGEABLE = [option for option in CONNECTION_OPTIONS if option not in LOCKED]
# Options of gns_py's own core: a connection copies them when it is made and does not follow later changes.
OWN = {option for option in CONNECTION_OPTIONS if option > 10_000}
CANNOT_CHANGE = "the option can no longer be changed"

each = pytest.mark.parametrize


def values_of(option: ConfigValue) -> list[Any]:
    """Three values, none of them the default, with which connections still work."""
    if option.type is ConfigType.STRING:
        return ["192.0.2.1:3478", "192.0.2.2:3478,192.0.2.3:3478", "[2001:db8::1]:3478"]
    if option in (ConfigValue.IP_ALLOW_WITHOUT_AUTH, ConfigValue.IP_LOCAL_HOST_ALLOW_WITHOUT_AUTH):
        return [1, 1, 1]  # 0 would need certificates
    assert option.minimum is not None
    assert option.maximum is not None
    steps = [*range(1, 4), *range(-1, -4, -1)]
    near = [option.default + step for step in steps if option.minimum <= option.default + step <= option.maximum]
    return (near * 3)[:3]


def config_of(option: ConfigValue, value: object) -> Config:
    options: dict[str, Any] = {option.option_name: value}
    return Config(**options)


class Link(NamedTuple):
    """Return a connecting client and the server's end, which has not been accepted."""

    listener: gns.ListenSocket
    client: gns.Connection
    server: gns.Connection
    accept: Callable[[], None]
    """Wait until both are connected."""


@contextmanager
def link(listener_config: Config | None = None, client_config: Config | None = None) -> Iterator[Link]:
    with ExitStack() as stack:
        listener = stack.enter_context(gns.listen("127.0.0.1", 0, config=listener_config))
        client = stack.enter_context(gns.connect(*listener.address, config=client_config, wait=False))
        request = next(iter(listener))
        server = stack.enter_context(request.connection)

        def accept() -> None:
            request.accept()
            until_connected(client)
            assert server.state is ConnectionState.CONNECTED

        yield Link(listener, client, server, accept)


def refuses(error: type[Exception], message: str, function: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$") as refused:
        function(*arguments)
    assert type(refused.value) is error


# ---- before ----------------------------------------------------------------------------------------------------------


@each("option", [option for option in CONNECTION_OPTIONS if option is not SYMMETRIC], ids=str)
def test_given_when_it_is_made(option: ConfigValue) -> None:
    first, second, _ = values_of(option)
    with link(config_of(option, first), config_of(option, second)) as made:
        assert made.listener.get_config(option) == first
        assert made.server.get_config(option) == first
        assert made.client.get_config(option) == second
        made.accept()
        assert made.server.get_config(option) == first
        assert made.client.get_config(option) == second
        # No other object has these values.
        assert gns_py.get_config(option) == option.default
    with link() as other:
        for thing in other[:3]:
            timeout = option is ConfigValue.TIMEOUT_INITIAL and thing is other.client
            assert thing.get_config(option) == option.default or timeout


@pytest.mark.native_errors("not supported")
def test_what_gns_refuses_when_it_is_made() -> None:
    config = Config(symmetric_connect=1)
    with pytest.raises(gns_py.ListenError, match="Symmetric mode not supported"):
        gns.listen("127.0.0.1", 0, config=config)
    with pytest.raises(gns_py.GNSError, match="SymmetricConnect not supported"):
        gns.connect("127.0.0.1", 27015, config=config, wait=False)


@each("option", GLOBAL_OPTIONS, ids=str)
def test_options_of_the_process_only(option: ConfigValue) -> None:
    config = config_of(option, values_of(option)[0])
    message = f"{option.option_name} is a process-wide option: set it with gns_py.set_config(), not on "
    listening, connection = message + "a listen socket", message + "a connection"
    for port, api in ((0, gns.listen), (27015, gns.connect)):
        with pytest.raises(ValueError, match=rf"^{re.escape(listening if port == 0 else connection)}$"):
            api("127.0.0.1", port, config=config)
    with link() as made:
        for thing in made[:3]:
            refuses(ValueError, listening if thing is made.listener else connection, thing.set_config, config)
            if option in gns_py.list_config():
                wrong = f"{option.option_name}: the option does not exist at this scope"
                refuses(ConfigError, wrong, thing.get_config, option)
                refuses(ConfigError, wrong, thing.reset_config, option)


# ---- after -----------------------------------------------------------------------------------------------------------


@each("option", CHANGEABLE, ids=str)
def test_set_on_a_connection(option: ConfigValue) -> None:
    first, second, third = values_of(option)
    with link() as made:
        before = made.client.get_config(option)  # timeout_initial is connect()'s
        # Set options during the handshake and after it; neither the other end nor any other connection is affected.
        for values in ((first, second), (second, third)):
            for end, value in zip((made.client, made.server), values, strict=True):
                end.set_config(config_of(option, value))
            for end, value in zip((made.client, made.server), values, strict=True):
                assert end.get_config(option) == value
            assert made.listener.get_config(option) == option.default
            assert gns_py.get_config(option) == option.default
            if made.client.state is ConnectionState.CONNECTING:
                made.accept()
        for end in (made.client, made.server):
            end.reset_config(option)
            assert end.get_config(option) == option.default
        assert before == option.default or option is ConfigValue.TIMEOUT_INITIAL
        assert made.client.state is made.server.state is ConnectionState.CONNECTED


@each("option", CHANGEABLE, ids=str)
def test_inherited_from_the_process_and_the_listen_socket(
    option: ConfigValue, process_config: Callable[[Config], None]
) -> None:
    of_process, of_socket, own = values_of(option)
    client_config = None if option is not ConfigValue.TIMEOUT_INITIAL else config_of(option, of_process)
    process_config(config_of(option, of_process))
    with link(client_config=client_config) as made:
        listener, client, server, accept = made
        accept()
        assert [thing.get_config(option) for thing in (listener, client, server)] == [of_process] * 3
        listener.set_config(config_of(option, of_socket))
        assert listener.get_config(option) == of_socket
        assert client.get_config(option) == of_process
        assert server.get_config(option) == (of_process if option in OWN else of_socket)
        server.set_config(config_of(option, own))
        assert server.get_config(option) == own
        assert listener.get_config(option) == of_socket
        server.reset_config(option)
        assert server.get_config(option) == of_socket
        with gns.connect(*listener.address, wait=False), listener.accept(timeout=5.0) as later:
            assert later.get_config(option) == of_socket
        listener.reset_config(option)
        assert listener.get_config(option) == of_process
        server.reset_config(option)
        assert server.get_config(option) == of_process
        gns_py.reset_config(option)
        assert gns_py.get_config(option) == option.default
        for thing in (listener, server):
            thing.reset_config(option)
            assert thing.get_config(option) == option.default


@each("option", LOCKED, ids=str)
def test_fixed_once_the_connection_is_being_set_up(option: ConfigValue) -> None:
    value = values_of(option)[0]
    config = config_of(option, value)
    message = f"{option.option_name}: {CANNOT_CHANGE}"
    with link() as made:
        listener, client, server, accept = made
        refuses(ConfigError, message, client.set_config, config)
        refuses(ConfigError, message, client.reset_config, option)
        if option is not SYMMETRIC:  # the other end may still choose
            server.set_config(config)
            assert server.get_config(option) == value
            server.reset_config(option)
            assert server.get_config(option) == option.default
        accept()
        for end in (client, server):
            refuses(ConfigError, message, end.set_config, config)
            refuses(ConfigError, message, end.reset_config, option)
            assert end.get_config(option) == option.default
        if option is SYMMETRIC:
            refuses(ConfigError, message, listener.set_config, config)
            return
        listener.set_config(config)  # for later connections
        assert listener.get_config(option) == value
        assert server.get_config(option) == option.default
        with gns.connect(*listener.address, wait=False), listener.accept(timeout=5.0) as later:
            assert later.get_config(option) == value
        listener.reset_config(option)
        assert listener.get_config(option) == option.default


def test_of_several_options_the_error_names_the_one() -> None:
    with link() as made:
        with pytest.raises(ConfigError, match=rf"^unencrypted: {CANNOT_CHANGE}$"):
            made.client.set_config(Config(nagle_time=7, unencrypted=1))
        with pytest.raises(ConfigError, match=rf"^unencrypted: {CANNOT_CHANGE}$"):
            made.client.reset_config(ConfigValue.NAGLE_TIME, ConfigValue.UNENCRYPTED)


def test_what_is_closed_has_no_options() -> None:
    with link() as made:
        made.client.close()
        made.listener.close()
    for thing in made[:3]:
        closed = gns_py.InvalidStateError if thing is made.listener else gns_py.ConnectionClosed
        with pytest.raises(closed):
            thing.set_config(Config(nagle_time=7))
        for use in (thing.get_config, thing.reset_config):
            with pytest.raises(closed):
                use(ConfigValue.NAGLE_TIME)


def test_wrong_options() -> None:
    wrong: Any = "nagle_time"
    reserved = "recv_buffer_size: the option is reserved; set recv_queue_bytes or recv_queue_messages"
    with link() as made:
        for thing in made[:3]:
            refuses(TypeError, "option must be a ConfigValue, not str", thing.get_config, wrong)
            refuses(TypeError, "option must be a ConfigValue, not str", thing.reset_config, wrong)
            refuses(TypeError, "config must be a Config, not str", thing.set_config, wrong)
            refuses(ConfigError, reserved, thing.reset_config, ConfigValue.RECV_BUFFER_SIZE)


# ---- what they do ----------------------------------------------------------------------------------------------------


def test_each_connection_has_its_own_send_rate_and_it_can_change() -> None:
    slow, fast = 100_000, 300_000

    def rate(number: int) -> Config:
        return Config(send_rate_min=number, send_rate_max=number)

    with ExitStack() as stack:
        listener = stack.enter_context(gns.listen("127.0.0.1", 0))
        clients, servers = [], []
        for _ in range(2):
            clients.append(stack.enter_context(gns.connect(*listener.address, wait=False)))
            servers.append(stack.enter_context(listener.accept(timeout=5.0)))
            until_connected(clients[-1])
        arrived: list[list[int]] = [[], []]  # when, for each client

        def read() -> None:
            for client, times in zip(clients, arrived, strict=True):
                if client.state is ConnectionState.CONNECTED and len(times) < 480:
                    times += [message.received_us for message in client.recv_many(timeout=5.0)]

        servers[0].set_config(rate(slow))
        servers[1].set_config(rate(fast))
        for server in servers:
            server.send_many([bytes(1000)] * 480)
        began = gns_py.time_us()
        while gns_py.time_us() < began + 1_200_000:
            read()
        changed = gns_py.time_us()
        servers[0].set_config(rate(fast))
        servers[1].set_config(rate(slow))
        assert [server.stats().send_rate for server in servers] == [fast, slow]
        while min(map(len, arrived)) < 480:
            read()
        settle = 100_000
        for times, before, after in ((arrived[0], slow, fast), (arrived[1], fast, slow)):
            assert 0.6 * before < measured([when for when in times if began + settle < when < changed]) < 1.1 * before
            assert 0.6 * after < measured([when for when in times if when > changed + settle]) < 1.1 * after


def measured(times: list[int]) -> float:
    """Return the bytes per second of messages of 1,000 bytes that arrived at these times."""
    return (len(times) - 1) * 1000 * 1e6 / (times[-1] - times[0])


def test_timeouts_are_those_of_the_connection() -> None:
    """The connection is not accepted: each end gives up after its own timeout_initial."""
    with (
        gns.listen("127.0.0.1", 0, config=Config(timeout_initial=20_000)) as listener,
        gns.connect(*listener.address, config=Config(timeout_initial=300), wait=False) as client,
    ):
        began = time.monotonic()
        eventually(lambda: client.end, what="the end")
        assert 0.25 < time.monotonic() - began < 3.0 * PATIENCE
        assert client.end is not None
        assert client.end.code == gns_py.EndReason.MISC_TIMEOUT


@each("server", range(4))
@each("client", range(4))
def test_in_the_clear_only_where_both_ends_allow_it(client: int, server: int) -> None:
    with (
        gns.listen("127.0.0.1", 0, config=Config(unencrypted=server)) as listener,
        gns.connect(*listener.address, config=Config(unencrypted=client), wait=False) as connection,
    ):
        if sorted((client, server)) == [0, 3]:
            request = next(iter(listener))
            with pytest.raises(gns_py.GNSError, match="handshake"):
                request.accept()
            assert connection.wait_closed(timeout=5.0).code == gns_py.EndReason.REMOTE_BAD_CRYPT
            request.connection.close()
            return
        with listener.accept(timeout=5.0) as accepted:
            until_connected(connection)
            in_the_clear = client > 0 and server > 0 and (server > 1 or client == 3)
            for end in (connection, accepted):
                assert (InfoFlags.UNENCRYPTED in end.info().flags) == in_the_clear


@each(
    ("lowest", "highest", "used"),
    [
        (300_000, 300_000, 300_000),
        (300_000, None, 300_000),  # the highest rate is 262144 by default: no effect
        (268_435_456, 268_435_456, 104_857_600),
        (1024, 1024, 1024),
    ],
)
def test_send_rates(lowest: int, highest: int | None, used: int) -> None:
    first, second = gns.socket_pair(network=True)
    with first, second:
        first.set_config(Config(send_rate_min=lowest, send_rate_max=highest))
        assert first.stats().send_rate == used
        assert second.stats().send_rate == 262_144
