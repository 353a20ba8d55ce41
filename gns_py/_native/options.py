"""Options of the process, of listen sockets and of connections."""

from __future__ import annotations

from typing import Any

from .._generated.enums import ConfigScope, ConfigType, ConfigValue
from ..config import Config, OptionValue
from ..errors import ConfigError
from .failures import EXCEPTIONS, check, check_connection, exception_for
from .library import ffi, lib
from .text import text_of


def set_options(scope: ConfigScope, handle: int, config: Config) -> None:
    """Set options in the order of `config`. Where one is refused, those before it stay set."""
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config, not {type(config).__name__}")
    options = config.options_for(scope)
    native, keep = option_array(options)
    for index, (option, _) in enumerate(options):
        _check_result(scope, option, lib.gns_config_set(scope, handle, native + index))
    del keep


def reset_option(scope: ConfigScope, handle: int, option: ConfigValue) -> None:
    """Make an option inherit its value from the outer scope again."""
    _check_option(option)
    _check_result(scope, option, lib.gns_config_reset(scope, handle, option))


def get_option(scope: ConfigScope, handle: int, option: ConfigValue) -> OptionValue:
    """Return the value of an option, inherited or not."""
    _check_option(option)
    out = ffi.new("gns_option *")
    size = 1024
    while True:
        text = ffi.new("char[]", size)
        result: int = lib.gns_config_get(scope, handle, option, out, text, size)
        if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
            break
        size *= 2
    _check_result(scope, option, result)
    match out.type:
        case ConfigType.STRING:
            return text_of(text)
        case ConfigType.FLOAT:
            return float(out.real)
        case _:
            return int(out.integer)


def has_option(option: ConfigValue) -> bool:
    """Return whether this build has the option."""
    kind, scope = ffi.new("int32_t *"), ffi.new("int32_t *")
    return bool(lib.gns_config_info(option, kind, scope) != ffi.NULL)


def _check_result(scope: ConfigScope, option: ConfigValue, result: int) -> None:
    if EXCEPTIONS.get(result) is ConfigError:
        raise ConfigError(f"{option.option_name}: {exception_for(result)}")
    if scope is ConfigScope.CONNECTION:
        check_connection(result)
    check(result)


def _check_option(option: ConfigValue) -> None:
    if not isinstance(option, ConfigValue):
        raise TypeError(f"option must be a ConfigValue, not {type(option).__name__}")


def option_array(options: list[tuple[ConfigValue, OptionValue]]) -> tuple[Any, list[Any]]:
    """Return a gns_option array, and the texts that must stay alive while it is used."""
    native = ffi.new("gns_option[]", len(options))
    keep = []
    for out, (option, value) in zip(native, options, strict=True):
        out.value, out.type = option, option.type
        if isinstance(value, str):
            keep.append(ffi.new("char[]", value.encode()))
            out.string = keep[-1]
        elif isinstance(value, float):
            out.real = value
        else:
            out.integer = value
    return native, keep
