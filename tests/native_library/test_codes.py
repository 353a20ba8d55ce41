"""The core and the generated enums have the same numbers."""

from __future__ import annotations

import gns_py
from gns_py import ConfigType, ConfigValue, EndReason
from gns_py._native.library import ffi, lib


def test_the_core_and_the_generated_enums_have_the_same_numbers() -> None:
    for name in ("GOING_AWAY", "INTERNAL_ERROR", "MESSAGE_QUEUE_LIMIT_REACHED", "RATE_LIMITED", "SHUTDOWN"):
        assert getattr(lib, f"GNS_END_{name}") == EndReason[name]
    for name in ("RECV_QUEUE_BYTES", "RECV_QUEUE_MESSAGES", "MAX_UNACKED_SEGMENTS"):
        assert getattr(lib, f"GNS_CONFIG_{name}") == ConfigValue[name]
    for name in ("INT32", "INT64", "FLOAT", "STRING"):
        assert getattr(lib, f"GNS_TYPE_{name}") == ConfigType[name]
    for name in ("GLOBAL", "LISTEN_SOCKET", "CONNECTION"):
        assert getattr(lib, f"GNS_SCOPE_{name}") == gns_py.ConfigScope[name]
    assert (lib.GNS_SEND_RELIABLE, lib.GNS_SEND_NO_NAGLE, lib.GNS_SEND_NO_DELAY) == (
        gns_py.SendFlags.RELIABLE,
        gns_py.SendFlags.NO_NAGLE,
        gns_py.SendFlags.NO_DELAY,
    )


def test_the_core_and_the_generated_enums_have_the_same_options() -> None:
    gns_py.start()
    kind, scope = ffi.new("int32_t *"), ffi.new("int32_t *")
    for option in gns_py.list_config():
        name = lib.gns_config_info(option, kind, scope)
        assert name != ffi.NULL, option
        assert ffi.string(name).decode().replace("_", "").lower() == option.option_name.replace("_", "")
        assert (kind[0], scope[0]) == (option.type, option.scope), option
