"""The binding: the library must fit, and its errors become exceptions in one place."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gns_py
from gns_py import _native, errors
from gns_py._generated.enums import ConfigType, ConfigValue, EndReason, Result
from gns_py._native import library
from gns_py._native._ffi import ffi
from gns_py._native.failures import EXCEPTIONS

HEADER = Path(__file__).parents[2] / "build_native" / "core" / "gns_core.h"
LIB = library.lib
ERRORS = sorted(name for name in dir(LIB) if name.startswith("GNS_ERROR_"))


def own_table() -> Any:
    """A copy of the core's layout table, and its size."""
    count = ffi.new("int32_t *")
    table = LIB.gns_layout(count)
    copy = ffi.new("gns_layout_entry[]", count[0])
    ffi.memmove(copy, table, ffi.sizeof(copy))
    return copy


class Tampered:
    """A library whose layout table has been changed."""

    def __init__(self, change: Callable[[Any], None]) -> None:
        self._table = own_table()
        change(self._table)

    def gns_layout(self, count: Any) -> Any:
        count[0] = len(self._table)
        return self._table


def entry(table: Any, struct: str, field: str) -> Any:
    """One entry of it."""
    return next(
        each
        for each in table
        if (ffi.string(each.struct_name), ffi.string(each.field)) == (struct.encode(), field.encode())
    )


# ---- the layout ------------------------------------------------------------------------------------------------------


def test_the_layout_fits() -> None:
    library._check_layout(LIB)


def test_the_layout_table_has_every_struct_and_field_of_the_header() -> None:
    told: dict[str, set[str]] = {}
    for each in own_table():
        told.setdefault(ffi.string(each.struct_name).decode(), set()).add(ffi.string(each.field).decode())
    parsed = {
        name: {"", *(field for field, _ in ffi.typeof(name).fields)}
        for name in ffi.list_types()[0]
        if ffi.typeof(name).kind == "struct"
    }
    assert told == parsed
    assert len(told) == 14


@pytest.mark.parametrize(
    ("struct", "field", "change"),
    [
        ("gns_event", "size", "offset"),
        ("gns_event", "size", "size"),
        ("gns_connection_info", "end_text", "offset"),
        ("gns_connection_status", "", "size"),
        ("gns_address", "", "offset"),
    ],
)
def test_a_library_of_another_layout_is_an_import_error_that_names_the_struct(
    struct: str, field: str, change: str
) -> None:
    def shift(table: Any) -> None:
        each = entry(table, struct, field)
        setattr(each, change, getattr(each, change) + 4)

    name = f"{struct}.{field}" if field else struct
    with pytest.raises(
        ImportError, match=rf"does not fit the package: {re.escape(name)} has offset and size"
    ) as refused:
        library._check_layout(Tampered(shift))
    assert refused.value.name == "gns_py._native.library"
    assert str(refused.value).endswith("Reinstall gns_py.")


def test_a_field_that_is_not_known_here_is_an_import_error() -> None:
    other = ffi.new("char[]", b"brand_new")

    def rename(table: Any) -> None:
        entry(table, "gns_event", "lane").field = other

    with pytest.raises(ImportError, match=r"gns_event\.brand_new has offset and size"):
        library._check_layout(Tampered(rename))


def test_a_missing_library_is_an_import_error_that_names_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(library, "PATH", tmp_path / "libgns_core.so")
    with pytest.raises(ImportError, match=r"^gns_py's native library cannot be loaded: ") as missing:
        library._load()
    assert missing.value.path == str(tmp_path / "libgns_core.so")


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_of_the_core_has_a_sentence_and_an_exception(name: str) -> None:
    code = getattr(LIB, name)
    assert -1100 < code < -1000
    assert len(ffi.string(LIB.gns_error_text(code)).split()) >= 2
    if name not in ("GNS_ERROR_BUFFER_TOO_SMALL", "GNS_ERROR_NATIVE", "GNS_ERROR_SYSTEM"):  # handled where they arise
        assert code in EXCEPTIONS


def test_error_numbers_are_all_different() -> None:
    codes = [getattr(LIB, name) for name in ERRORS]
    assert len(set(codes)) == len(codes) == 19
    assert ffi.string(LIB.gns_error_text(-9999)) == b""


@pytest.mark.parametrize(
    ("call", "exception", "text"),
    [
        (lambda: LIB.gns_mailbox_wake(12345), errors.InvalidStateError, "the handle is not valid or is closed"),
        (lambda: LIB.gns_start(b"nonsense", 8), ValueError, "not an identity"),
        (lambda: LIB.gns_log_set_level(99), ValueError, "the value is out of range"),
        (lambda: LIB.gns_flush(1), errors.NotRunningError, "the runtime is not running"),
        (lambda: LIB.gns_close(1, 999, b"", 0, 0), ValueError, "a close reason must be from 1000 to 2999"),
        (lambda: LIB.gns_close(1, 1000, b"a\0b", 3, 0), ValueError, "the text is too long or holds a NUL byte"),
    ],
)
def test_an_error_becomes_an_exception_with_its_text(
    call: Callable[[], int], exception: type[Exception], text: str
) -> None:
    with pytest.raises(exception) as raised:
        _native.check(call())
    assert type(raised.value) is exception
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("result", "exception"),
    [
        (Result.INVALID_PARAM, ValueError),
        (Result.INVALID_STATE, errors.InvalidStateError),
        (Result.LIMIT_EXCEEDED, errors.SendQueueFull),
        (Result.IGNORED, errors.MessageDropped),
        (Result.HANDSHAKE_FAILED, errors.GNSError),
        (Result.FAIL, errors.GNSError),
    ],
)
def test_gns_own_results_are_kept_in_the_exception(result: Result, exception: type[Exception]) -> None:
    error = _native.exception_for(-result)
    assert type(error) is exception
    if isinstance(error, errors.GNSError):
        assert error.result is result


def test_each_thread_has_its_own_last_error() -> None:
    LIB.gns_flush(1)
    other: list[bytes] = []
    thread = threading.Thread(target=lambda: other.append(ffi.string(LIB.gns_last_error_text())))
    thread.start()
    thread.join()
    assert other == [b""]
    assert ffi.string(LIB.gns_last_error_text()) == b"the runtime is not running"


def test_success_is_passed_on() -> None:
    assert _native.check(0) == 0
    assert _native.check(17) == 17


# ---- numbers ---------------------------------------------------------------------------------------------------------


def test_the_core_and_the_generated_enums_have_the_same_numbers() -> None:
    for name in ("GOING_AWAY", "INTERNAL_ERROR", "MESSAGE_QUEUE_LIMIT_REACHED", "RATE_LIMITED", "SHUTDOWN"):
        assert getattr(LIB, f"GNS_END_{name}") == EndReason[name]
    for name in ("RECV_QUEUE_BYTES", "RECV_QUEUE_MESSAGES", "MAX_UNACKED_SEGMENTS"):
        assert getattr(LIB, f"GNS_CONFIG_{name}") == ConfigValue[name]
    for name in ("INT32", "INT64", "FLOAT", "STRING"):
        assert getattr(LIB, f"GNS_TYPE_{name}") == ConfigType[name]
    for name in ("GLOBAL", "LISTEN_SOCKET", "CONNECTION"):
        assert getattr(LIB, f"GNS_SCOPE_{name}") == gns_py.ConfigScope[name]
    assert (LIB.GNS_SEND_RELIABLE, LIB.GNS_SEND_NO_NAGLE, LIB.GNS_SEND_NO_DELAY) == (
        gns_py.SendFlags.RELIABLE,
        gns_py.SendFlags.NO_NAGLE,
        gns_py.SendFlags.NO_DELAY,
    )


def test_the_core_and_the_generated_enums_have_the_same_options() -> None:
    gns_py.start()
    kind, scope = ffi.new("int32_t *"), ffi.new("int32_t *")
    for option in gns_py.list_config():
        name = LIB.gns_config_info(option, kind, scope)
        assert name != ffi.NULL, option
        assert ffi.string(name).decode().replace("_", "").lower() == option.option_name.replace("_", "")
        assert (kind[0], scope[0]) == (option.type, option.scope), option


@pytest.mark.skipif(not HEADER.exists(), reason="needs the sources")
def test_every_function_of_the_header_is_exported() -> None:
    declared = set(re.findall(r"\b(gns_\w+)\(", re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)))
    assert declared <= set(dir(LIB))
    for name in declared:
        assert getattr(LIB, name) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_library_is_loaded_from_inside_the_package() -> None:
    folder = Path(library.__file__).parent
    maps = Path("/proc/self/maps")
    if maps.exists():
        loaded = {line.split(maxsplit=5)[5] for line in maps.read_text().splitlines() if "gns_core" in line}
        assert {Path(path).parent for path in loaded} == {folder}
