"""docs/reference/native-api.md names everything of GNS, and everything that it names in Python exists.

It is compared with GNS's headers and static library where those exist (in a clone that was built), and always with the
loaded library and the package.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import pkgutil
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import gns_py
import gns_py.asyncio as gns_asyncio
import gns_py.sync as gns
from gns_py import ConfigValue, _native
from gns_py._native.library import ffi, lib

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/native-api.md"
GNS = Path(os.environ.get("GNS_PY_GNS_SOURCE") or ROOT / "vendor/src/gns")
HEADERS = sorted((GNS / "include/steam").glob("*.h"))
# The archive that gns_core was linked from.
ARCHIVE = ROOT / f"build/{_native.build_info().mode}/gns/src/libGameNetworkingSockets_s.a"

needs_headers = pytest.mark.skipif(not HEADERS, reason="the sources of GNS are not there")
CONFIG_VALUES = "Config values"
NOT_IN_LIBRARY = "Declared, but not in the library"
# Registered, but not available in Python.
KEPT_BY_THE_CORE = {
    "RecvBufferSize",
    "RecvBufferMessages",
    "Callback_AuthStatusChanged",
    "Callback_MessagesSessionRequest",
    "Callback_MessagesSessionFailed",
    "Callback_CreateConnectionSignaling",
}


class Row(NamedTuple):
    """A row of one of the page's tables."""

    section: str
    native: str
    number: int | None
    python: tuple[str, ...]
    how: str


def read_rows() -> Iterator[Row]:
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| `"):
            native, *number, python, how = (cell.strip() for cell in line.strip("|").split("|"))
            names = tuple(re.findall(r"`([^`]+)`", python))
            assert python == ", ".join(f"`{name}`" for name in names), line
            yield Row(section, native.strip("`"), int(number[0]) if number else None, names, how)


ROWS = list(read_rows())
FUNCTIONS = {row.native: row for row in ROWS if row.section != CONFIG_VALUES}
OPTIONS = {row.native: row for row in ROWS if row.section == CONFIG_VALUES}
by_name = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.native)


def code_of(header: Path) -> str:
    """Return the text of a header without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)


# ---- against GNS -----------------------------------------------------------------------------------------------------


def exported_by_sources() -> set[str]:
    """Return every function that the sources declare or define as part of the C interface."""
    files = [*HEADERS, *(GNS / "src/steamnetworkingsockets").rglob("*.h"), *(GNS / "src").rglob("clientlib/*.cpp")]
    found = set()
    for file in files:
        # In the definition of the macro itself, no type follows.
        found |= set(
            re.findall(r"(?<!define )STEAMNETWORKINGSOCKETS_INTERFACE\s+(?!extern)[^;{(]*?(\w+)\s*\(", code_of(file))
        )
    return found


def cpp_interfaces() -> Iterator[tuple[str, str]]:
    """Yield (class, member function) for GNS's abstract classes."""
    for header in HEADERS:
        for name, body in re.findall(r"\nclass (ISteam\w+)\s*\{(.*?)\n\};", code_of(header), flags=re.DOTALL):
            if "virtual" in body:
                # Declarations end in ";" or "= 0;", inline ones in "}"; they are not nested.
                yield from (
                    (name, member)
                    for member in re.findall(r"[\s*&](\w+)\s*\([^{};]*\)\s*(?:const\s*)?(?:=\s*0\s*)?[;{]", body)
                )


@needs_headers
def test_the_page_has_every_function_of_the_c_interface() -> None:
    exported = exported_by_sources()
    assert len(exported) > 100
    assert {name for name in FUNCTIONS if "::" not in name} == exported


@needs_headers
def test_the_page_has_every_member_of_the_interfaces_in_cpp() -> None:
    members = set(cpp_interfaces())
    assert len(members) > 80
    without_c = {f"{cls}::{name}" for cls, name in members if not {f"SteamAPI_{cls}_{name}", name} & FUNCTIONS.keys()}
    assert {name for name in FUNCTIONS if "::" in name} == without_c


@pytest.mark.skipif(not (sys.platform == "linux" and ARCHIVE.is_file()), reason="GNS was not built here")
def test_the_page_knows_which_functions_are_in_the_library() -> None:
    content = ARCHIVE.read_bytes()
    # The first member of a GNU archive is its table of symbols: a count, that many offsets, then the names.
    assert content[:8] == b"!<arch>\n"
    table = content[68 : 68 + int(content[56:66])]
    (count,) = struct.unpack_from(">I", table)
    names = {name.decode() for name in table[4 + 4 * count :].split(b"\0")[:count]}
    exported = {
        name
        for name in names
        if re.match(
            r"(GameNetworkingSockets|Steam(API|Networking|GameServer|Datagram))_|Steam(Networking|GameServer)", name
        )
    }
    assert len(exported) > 100
    named = {row.native for row in FUNCTIONS.values() if "::" not in row.native and row.section != NOT_IN_LIBRARY}
    assert named == exported


@needs_headers
def test_the_page_has_every_config_value_with_its_number() -> None:
    header = code_of(GNS / "include/steam/steamnetworkingtypes.h")
    body = header.split("enum ESteamNetworkingConfigValue")[1].split("}")[0]
    declared = {name: int(number) for name, number in re.findall(r"k_ESteamNetworkingConfig_(\w+)\s*=\s*(\d+)", body)}
    assert len(declared) > 70
    assert {row.native: row.number for row in OPTIONS.values()} == declared


def test_every_config_value_that_the_library_has_is_reachable_or_accounted_for() -> None:
    gns_py.start()
    kind, scope = ffi.new("int32_t *"), ffi.new("int32_t *")
    for row in OPTIONS.values():
        assert row.number is not None
        name = lib.gns_config_info(row.number, kind, scope)
        registered = name != ffi.NULL and ffi.string(name).decode() == row.native
        if row.native == "ECN":
            assert registered == (sys.platform == "win32")
        elif row.native == "MTU_DataSize":
            assert not registered  # it can be read nevertheless
            assert gns_py.get_config(ConfigValue.MTU_DATA_SIZE) == ConfigValue.MTU_DATA_SIZE.default
        else:
            assert registered == (row.native in KEPT_BY_THE_CORE or row.python != ()), row.native
    numbers = {row.number for row in OPTIONS.values()}
    assert {number for number in range(1100) if lib.gns_config_info(number, kind, scope) != ffi.NULL} <= numbers


# ---- against the package ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def things() -> dict[type, Any]:
    """Return an instance of each class that has attributes which only instances have."""

    async def serve() -> list[Any]:
        async with (
            gns_asyncio.serve(gns_asyncio.Connection.wait_closed, "127.0.0.1", 0) as server,
            gns_asyncio.listen("127.0.0.1", 0) as listener,
        ):
            return [server, listener]

    with gns.serve(lambda _: None, "127.0.0.1", 0) as server, gns.listen("127.0.0.1", 0) as listener:
        found = [server, listener, *asyncio.run(serve())]
    return {type(each): each for each in found}


def resolve(name: str, things: dict[type, Any]) -> Any:
    thing: Any = None
    module, *rest = name.split(".")
    thing = importlib.import_module(module)
    for part in rest:
        if inspect.ismodule(thing) and not hasattr(thing, part):
            thing = importlib.import_module(f"{thing.__name__}.{part}")
        else:
            thing = getattr(things.get(thing, thing) if inspect.isclass(thing) else thing, part)
    return thing


@by_name
def test_what_the_page_names_in_python_is_there(row: Row, things: dict[type, Any]) -> None:
    for name in row.python:
        assert not re.search(r"\._[^_]", name), "not public"
        assert resolve(name, things) is not None
        assert resolve(name.replace("gns_py.sync.", "gns_py.asyncio."), things) is not None
    assert row.python or row.how, "neither a name nor a reason"
    assert row.how == "" or row.how.endswith("."), "no sentence"


def test_options_have_the_number_of_their_config_value() -> None:
    reached = set()
    for row in OPTIONS.values():
        for name in row.python:
            if name.startswith("gns_py.Config."):
                assert ConfigValue[name.removeprefix("gns_py.Config.").upper()] == row.number
                reached.add(name.removeprefix("gns_py.Config."))
    ours = {option.option_name for option in ConfigValue if option > 10_000}
    assert reached == gns_py.Config.__dataclass_fields__.keys() - ours


def public_docstrings() -> Iterator[tuple[str, str]]:
    names = ["gns_py", *(module.name for module in pkgutil.walk_packages(gns_py.__path__, "gns_py."))]
    for name in names:
        if any(part.startswith("_") for part in name.split(".")):
            continue
        for thing_name, thing in vars(importlib.import_module(name)).items():
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{name}.{thing_name}", inspect.getdoc(thing) or ""
            if inspect.isclass(thing):
                yield from (
                    (f"{name}.{thing_name}.{key}", inspect.getdoc(each) or "") for key, each in vars(thing).items()
                )


def test_the_functions_that_docstrings_name_are_gns_s() -> None:
    known = {re.split(r"_|::", name)[-1] for name in FUNCTIONS} | FUNCTIONS.keys()
    claims = 0
    for where, text in public_docstrings():
        for clause in re.findall(r"Native(?: functions?)?:\s(.*?)(?:\.\s|\.$|$)", text, flags=re.DOTALL):
            for function in re.findall(r"\b[A-Z][a-z]+(?:[A-Z]\w*)+|GameNetworkingSockets_\w+", clause):
                assert function in known, f"{where}: GNS has no {function}"
                claims += 1
    assert claims > 20
