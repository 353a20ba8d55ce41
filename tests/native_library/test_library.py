"""The native library: it is the package's own, and must match it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gns_py._native import library
from gns_py._native.library import ffi, lib

CORE = Path(__file__).parents[2] / "build_native" / "core"


def own_table() -> Any:
    """Return a copy of the core's layout table."""
    count = ffi.new("int32_t *")
    table = lib.gns_layout(count)
    copy = ffi.new("gns_layout_entry[]", count[0])
    ffi.memmove(copy, table, ffi.sizeof(copy))
    return copy


class Tampered:
    """A library with a changed layout table."""

    def __init__(self, change: Callable[[Any], None]) -> None:
        self._table = own_table()
        change(self._table)

    def gns_layout(self, count: Any) -> Any:
        count[0] = len(self._table)
        return self._table


def entry(table: Any, struct: str, field: str) -> Any:
    """Return one entry of a layout table."""
    return next(
        each
        for each in table
        if (ffi.string(each.struct_name), ffi.string(each.field)) == (struct.encode(), field.encode())
    )


def test_the_layout_fits() -> None:
    library.check_layout(lib)


def test_the_layout_table_has_every_struct_and_field_of_the_header() -> None:
    listed: dict[str, set[str]] = {}
    for each in own_table():
        listed.setdefault(ffi.string(each.struct_name).decode(), set()).add(ffi.string(each.field).decode())
    parsed = {
        name: {"", *(field for field, _ in ffi.typeof(name).fields)}
        for name in ffi.list_types()[0]
        if ffi.typeof(name).kind == "struct"
    }
    assert listed == parsed
    assert len(listed) == 18


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
        library.check_layout(Tampered(shift))
    assert refused.value.name == "gns_py._native.library"
    assert str(refused.value).endswith("Reinstall gns_py.")


def test_a_field_that_is_not_known_here_is_an_import_error() -> None:
    other = ffi.new("char[]", b"brand_new")

    def rename(table: Any) -> None:
        entry(table, "gns_event", "lane").field = other

    with pytest.raises(ImportError, match=r"gns_event\.brand_new has offset and size"):
        library.check_layout(Tampered(rename))


def test_a_missing_library_is_an_import_error_that_names_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(library, "PATH", tmp_path / "libgns_core.so")
    with pytest.raises(ImportError, match=r"^gns_py's native library cannot be loaded: ") as missing:
        library.load()
    assert missing.value.path == str(tmp_path / "libgns_core.so")


@pytest.mark.skipif(not CORE.exists(), reason="needs the sources")
def test_every_function_of_the_header_is_exported() -> None:
    headers = "".join(path.read_text() for path in CORE.glob("gns_core*.h"))
    declared = set(re.findall(r"\b(gns_\w+)\(", re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL)))
    assert declared <= set(dir(lib))
    for name in declared:
        assert getattr(lib, name) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_library_is_loaded_from_inside_the_package() -> None:
    folder = Path(library.__file__).parent
    maps = Path("/proc/self/maps")
    if maps.exists():
        loaded = {line.split(maxsplit=5)[5] for line in maps.read_text().splitlines() if "gns_core" in line}
        assert {Path(path).parent for path in loaded} == {folder}
