"""Options: set, read and reset at each scope, and errors that name the option."""

from __future__ import annotations

import pytest

import gns_py
from gns_py import Config, ConfigError, ConfigScope, ConfigValue, _native

from .conftest import Ends

GLOBAL, CONNECTION = ConfigScope.GLOBAL, ConfigScope.CONNECTION


@pytest.mark.parametrize(
    ("config", "option", "value"),
    [
        (Config(nagle_time=1234), ConfigValue.NAGLE_TIME, 1234),
        (Config(fake_packet_loss_send=12.5), ConfigValue.FAKE_PACKET_LOSS_SEND, 12.5),
        (Config(p2p_turn_user_list="ü" * 2000), ConfigValue.P2P_TURN_USER_LIST, "ü" * 2000),
    ],
)
def test_a_value_of_each_type_is_read_as_it_was_set(config: Config, option: ConfigValue, value: object) -> None:
    gns_py.start()
    _native.set_options(GLOBAL, 0, config)
    assert _native.get_option(GLOBAL, 0, option) == value
    _native.reset_option(GLOBAL, 0, option)
    assert _native.get_option(GLOBAL, 0, option) == option.default


def test_options_before_a_refused_one_stay_set(ends: Ends) -> None:
    handle = ends.here.handle
    with pytest.raises(ConfigError, match=r"^symmetric_connect: "):
        _native.set_options(CONNECTION, handle, Config(nagle_time=77, symmetric_connect=1))
    assert _native.get_option(CONNECTION, handle, ConfigValue.NAGLE_TIME) == 77


def test_an_error_about_the_option_names_it(ends: Ends) -> None:
    for call in (_native.get_option, _native.reset_option):
        with pytest.raises(ConfigError, match=r"^fake_packet_loss_send: "):
            call(CONNECTION, ends.here.handle, ConfigValue.FAKE_PACKET_LOSS_SEND)


def test_a_connection_that_is_gone_has_no_options(ends: Ends) -> None:
    handle = ends.here.handle
    _native.close(handle, 1000, b"", False)
    with pytest.raises(_native.ConnectionGoneError):
        _native.set_options(CONNECTION, handle, Config(nagle_time=1))
    for call in (_native.get_option, _native.reset_option):
        with pytest.raises(_native.ConnectionGoneError):
            call(CONNECTION, handle, ConfigValue.NAGLE_TIME)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="config must be a Config, not dict"):
        _native.set_options(GLOBAL, 0, {})  # type: ignore[arg-type]
    for call in (_native.get_option, _native.reset_option):
        with pytest.raises(TypeError, match="option must be a ConfigValue, not int"):
            call(GLOBAL, 0, 12)  # type: ignore[arg-type]


def test_this_build_has_nearly_all_options() -> None:
    gns_py.start()
    assert _native.has_option(ConfigValue.NAGLE_TIME)
    assert not _native.has_option(ConfigValue.MTU_DATA_SIZE)
