"""Config: valid and invalid options, and the places where it can be used."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gns_py.sync as gns
from gns_py._generated.enums import ConfigScope, ConfigType, ConfigValue, InfoFlags, LogLevel
from gns_py.config import Config, check_value

RESERVED = {"recv_buffer_size", "recv_buffer_messages", "connection_user_data", "mtu_data_size"}
OPTIONS = {option.option_name: option for option in ConfigValue if option.option_name not in RESERVED}
NUMERIC = [option for option in OPTIONS.values() if option.type is not ConfigType.STRING]


def bounds(option: ConfigValue) -> tuple[float, float]:
    assert option.minimum is not None
    assert option.maximum is not None
    return option.minimum, option.maximum


def values_of(option: ConfigValue) -> st.SearchStrategy[Any]:
    if option.type is ConfigType.STRING:
        return st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    low, high = bounds(option)
    return st.floats(low, high) if option.type is ConfigType.FLOAT else st.integers(int(low), int(high))


def config_of(name: str, value: object) -> Config:
    options: dict[str, Any] = {name: value}
    return Config(**options)


GIVEN = st.fixed_dictionaries(
    {},
    optional={
        # These two depend on each other.
        name: values_of(option)
        for name, option in OPTIONS.items()
        if name not in ("send_rate_min", "send_rate_max")
    },
)


def test_every_option_is_a_field_and_every_field_an_option() -> None:
    assert [field.name for field in dataclasses.fields(Config)] == list(OPTIONS)
    assert len(OPTIONS) == 53


@given(options=GIVEN)
def test_a_config_holds_what_it_was_given(options: dict[str, Any]) -> None:
    config = Config(**options)
    assert {option.option_name: value for option, value in config.options()} == options
    assert {name: value for name in OPTIONS if (value := getattr(config, name)) is not None} == options
    assert config == Config(**options)
    assert hash(config) == hash(Config(**options))
    assert eval(repr(config)) == config
    for again in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config), dataclasses.replace(config)):
        assert type(again) is Config
        assert again == config


@given(left=GIVEN, right=GIVEN)
def test_of_two_configs_the_right_one_wins(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert Config(**left) | Config(**right) == Config(**{**left, **right})
    assert Config(**left) | Config() == Config() | Config(**left) == Config(**left)


def test_only_configs_can_be_joined() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Config() | {"send_rate_min": 5000}  # type: ignore[operator]


def test_repr_shows_what_is_set() -> None:
    assert repr(Config()) == "Config()"
    config = Config(fake_packet_loss_send=5, send_rate_max=2000000, p2p_stun_server_list="192.0.2.1:3478")
    assert repr(config) == (
        "Config(send_rate_max=2000000, p2p_stun_server_list='192.0.2.1:3478', fake_packet_loss_send=5.0)"
    )


def test_none_leaves_an_option_alone() -> None:
    assert Config(send_rate_min=None) == Config()
    assert Config().options() == []


def test_a_config_cannot_be_changed() -> None:
    config = Config(nagle_time=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.nagle_time = 5  # type: ignore[misc]
    assert dataclasses.replace(config, nagle_time=7) == Config(nagle_time=7)
    with pytest.raises(ValueError, match="nagle_time is 20001"):
        dataclasses.replace(config, nagle_time=20001)


def test_numbers_get_the_type_of_their_option() -> None:
    config = Config(fake_packet_loss_send=5, log_level_message=LogLevel.VERBOSE)
    assert type(config.fake_packet_loss_send) is float
    assert type(config.log_level_message) is int
    assert config == Config(fake_packet_loss_send=5.0, log_level_message=6)


@pytest.mark.parametrize("option", NUMERIC, ids=lambda option: option.option_name)
def test_the_bounds_are_allowed_and_no_more(option: ConfigValue) -> None:
    low, high = bounds(option)
    step = 0.001 if option.type is ConfigType.FLOAT else 1
    for value in (low, high):
        assert config_of(option.option_name, value).options() == [(option, value)]
    for value in (low - step, high + step, -(10**400), 10**400):
        with pytest.raises(ValueError, match=rf"^{option.option_name} is .*: it must be {low} to {high}"):
            config_of(option.option_name, value)


def test_an_error_names_option_value_range_and_unit() -> None:
    with pytest.raises(ValueError, match=r"^send_rate_min is 5: it must be 1024 to 268435456 in bytes/s$"):
        Config(send_rate_min=5)
    with pytest.raises(ValueError, match=r"^unencrypted is 4: it must be 0 to 3$"):
        Config(unencrypted=4)
    with pytest.raises(TypeError, match=r"^send_rate_min takes an int in bytes/s, not str$"):
        Config(send_rate_min="fast")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^fake_packet_loss_send takes a float in percent, not bool$"):
        Config(fake_packet_loss_send=True)
    with pytest.raises(TypeError, match=r"^p2p_stun_server_list takes a str, not bytes$"):
        Config(p2p_stun_server_list=b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.option_name)
@pytest.mark.parametrize("value", [True, b"5", [5], 5j, object()], ids=lambda value: type(value).__name__)
def test_values_of_the_wrong_type(option: ConfigValue, value: object) -> None:
    with pytest.raises(TypeError, match=rf"^{option.option_name} takes an? \w+.*, not {type(value).__name__}$"):
        check_value(option, value)
    with pytest.raises(TypeError, match=f"^{option.option_name} takes "):
        config_of(option.option_name, value)


def test_a_float_is_no_int_and_a_number_no_text() -> None:
    with pytest.raises(TypeError, match="nagle_time takes an int in us, not float"):
        Config(nagle_time=5.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="p2p_turn_user_list takes a str, not int"):
        Config(p2p_turn_user_list=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_finite_number_is_out_of_range(value: str) -> None:
    with pytest.raises(ValueError, match=f"fake_packet_loss_recv is {value}: it must be 0.0 to 100.0"):
        Config(fake_packet_loss_recv=float(value))


def test_texts_that_no_native_string_can_hold() -> None:
    with pytest.raises(ValueError, match=r"^p2p_turn_pass_list has a NUL byte$"):
        Config(p2p_turn_pass_list="a\0b")
    with pytest.raises(ValueError, match=r"^p2p_turn_pass_list cannot be encoded as UTF-8$"):
        Config(p2p_turn_pass_list="\udc80")


def test_a_lowest_rate_above_the_highest_is_refused() -> None:
    assert Config(send_rate_min=5000, send_rate_max=5000).send_rate_min == 5000
    with pytest.raises(ValueError, match=r"^send_rate_min is 5001, above send_rate_max, 5000$"):
        Config(send_rate_min=5001, send_rate_max=5000)
    with pytest.raises(ValueError, match="above send_rate_max"):
        Config(send_rate_min=5001) | Config(send_rate_max=5000)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("send_rate", "no option 'send_rate': did you mean send_rate_min or send_rate_max?"),
        ("timout_initial", "no option 'timout_initial': did you mean timeout_initial"),
        ("qqq", "no option 'qqq'"),
        (
            "recv_buffer_size",
            "recv_buffer_size is kept at its maximum: limit what waits to be read with recv_queue_bytes",
        ),
        ("recv_buffer_messages", "recv_buffer_messages is kept at its maximum: limit what waits to be read with recv_"),
        ("connection_user_data", "connection_user_data is not an option here: set the connection's user_data"),
        ("mtu_data_size", "mtu_data_size can only be read: set mtu_packet_size"),
    ],
)
def test_names_that_are_no_option(name: str, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        config_of(name, 5000)


def test_options_are_given_by_name_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        Config(5000)  # type: ignore[call-arg]


# ---- scopes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.option_name)
def test_process_wide_options_are_refused_on_smaller_things(option: ConfigValue) -> None:
    value = "" if option.type is ConfigType.STRING else option.minimum
    config = config_of(option.option_name, value)
    assert config.options_for(ConfigScope.GLOBAL) == [(option, value)]
    for scope, place in ((ConfigScope.LISTEN_SOCKET, "a listen socket"), (ConfigScope.CONNECTION, "a connection")):
        if option.scope is ConfigScope.CONNECTION:
            assert config.options_for(scope) == [(option, value)]
        else:
            message = f"{option.option_name} is a process-wide option: set it with gns_py.set_config(), not on {place}"
            with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
                config.options_for(scope)


def test_the_scope_that_is_not_offered() -> None:
    with pytest.raises(ValueError, match="options cannot be set at the scope SOCKETS_INTERFACE: use GLOBAL"):
        Config().options_for(ConfigScope.SOCKETS_INTERFACE)


# ---- presets --------------------------------------------------------------------------------------------------------

PRESETS = {"lan": Config.lan, "internet": Config.internet, "server": Config.server}
ALL_PRESETS = {**PRESETS, "secure": Config.secure}


@pytest.mark.parametrize("make", ALL_PRESETS.values(), ids=ALL_PRESETS)
def test_presets_are_for_connections_and_say_what_they_set(make: Callable[[], Config]) -> None:
    preset = make()
    assert preset == make()
    assert preset.options_for(ConfigScope.CONNECTION)
    assert preset.options_for(ConfigScope.LISTEN_SOCKET)
    assert preset.send_rate_min == preset.send_rate_max  # GNS does not adapt the rate between them
    for option, value in preset.options():
        assert f"{option.option_name}={value:,}" in (make.__doc__ or "")


def test_presets_can_be_changed() -> None:
    config = Config.lan() | Config(nagle_time=1000)
    assert config.nagle_time == 1000
    assert config.send_rate_max == Config.lan().send_rate_max


@pytest.mark.parametrize("make", PRESETS.values(), ids=PRESETS)
def test_presets_move_the_largest_message_and_many_small_ones(make: Callable[[], Config]) -> None:
    with (
        gns.serve(count_bytes, "127.0.0.1", 0, config=make()) as server,
        gns.connect(*server.address, config=make()) as client,
    ):
        client.send(bytes(512 * 1024))
        client.send_many([bytes(10)] * 500)
        client.send(b"")
        assert int(client.recv(timeout=20.0)) == 512 * 1024 + 5000


def test_secure_goes_with_other_presets() -> None:
    both = Config.server() | Config.secure()
    assert {*both.options()} == {*Config.server().options(), *Config.secure().options()}
    assert both.unencrypted == 0


def test_secure_connections_are_encrypted_whatever_the_process_prefers(
    process_config: Callable[[Config], None],
) -> None:
    process_config(Config(unencrypted=2))
    for config, encrypted in ((None, False), (Config.secure(), True)):
        with (
            gns.serve(count_bytes, "127.0.0.1", 0, config=config) as server,
            gns.connect(*server.address, config=config) as client,
        ):
            assert (InfoFlags.UNENCRYPTED not in client.info().flags) is encrypted


@pytest.mark.parametrize("of_server", [True, False])
def test_secure_refuses_a_peer_that_insists_on_sending_in_the_clear(of_server: bool) -> None:
    configs = [Config.secure(), Config(unencrypted=3)]
    if not of_server:
        configs.reverse()
    with (
        gns.serve(count_bytes, "127.0.0.1", 0, config=configs[0]) as server,
        pytest.raises(gns.ConnectFailed) as refused,
    ):
        gns.connect(*server.address, config=configs[1])
    assert refused.value.code == gns.EndReason.REMOTE_BAD_CRYPT


def count_bytes(connection: gns.Connection) -> None:
    total = 0
    while data := connection.recv(timeout=20.0):
        total += len(data)
    connection.send(str(total).encode())
    connection.wait_closed(timeout=20.0)


def test_what_a_server_does_not_read_is_bounded() -> None:
    with (
        gns.listen("127.0.0.1", 0, config=Config.server()) as socket,
        gns.connect(*socket.address, config=Config.internet(), wait=False) as client,
        socket.accept(timeout=5.0) as connection,
    ):
        limit = connection.get_config(ConfigValue.RECV_QUEUE_MESSAGES)
        with contextlib.suppress(gns.ConnectionClosed):
            for _ in range(20):
                client.send_many([b"x"] * 500)
                client.drain(timeout=5.0)
        assert connection.wait_closed(timeout=5.0).code == gns.EndReason.MESSAGE_QUEUE_LIMIT_REACHED
        assert len(connection.recv_many()) <= int(limit)
