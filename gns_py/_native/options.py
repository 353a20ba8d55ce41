"""Options: of the process, of listen sockets, of connections."""

from __future__ import annotations

from typing import Any

from .._generated.enums import ConfigScope, ConfigType, ConfigValue
from ..config import Config, OptionValue
from ..errors import ConfigError
from .failures import EXCEPTIONS, error
from .library import ffi, lib
from .text import text_of


def set_options(scope: ConfigScope, handle: int, config: Config) -> int:
    """The first error, or 0."""
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config, not {type(config).__name__}")
    options = config.options_for(scope)
    native, keep = option_array(options)
    for index in range(len(options)):
        result = _about(options[index][0], lib.gns_config_set(scope, handle, native + index))
        if result < 0:
            return result
    del keep
    return 0


def reset_option(scope: ConfigScope, handle: int, option: ConfigValue) -> int:
    _check_option(option)
    return _about(option, lib.gns_config_reset(scope, handle, option))


def get_option(scope: ConfigScope, handle: int, option: ConfigValue) -> tuple[int, OptionValue]:
    """An error or not, and the value."""
    _check_option(option)
    out = ffi.new("gns_option *")
    size = 1024
    while True:
        text = ffi.new("char[]", size)
        result: int = lib.gns_config_get(scope, handle, option, out, text, size)
        if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
            break
        size *= 2
    _about(option, result)
    match out.type:
        case ConfigType.STRING:
            return result, text_of(text)
        case ConfigType.FLOAT:
            return result, float(out.real)
        case _:
            return result, int(out.integer)


def has_option(option: ConfigValue) -> bool:
    """Whether this build knows it."""
    kind, scope = ffi.new("int32_t *"), ffi.new("int32_t *")
    return bool(lib.gns_config_info(option, kind, scope) != ffi.NULL)


def _about(option: ConfigValue, result: int) -> int:
    """The result, unless the option is what is wrong: that is raised here, where its name is known."""
    if EXCEPTIONS.get(result) is ConfigError:
        raise ConfigError(f"{option.option_name}: {error(result)}")
    return result


def _check_option(option: ConfigValue) -> None:
    if not isinstance(option, ConfigValue):
        raise TypeError(f"option must be a ConfigValue, not {type(option).__name__}")


def option_array(options: list[tuple[ConfigValue, OptionValue]]) -> tuple[Any, list[Any]]:
    """A gns_option array, and what must stay alive as long as it is used."""
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
