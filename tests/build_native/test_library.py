"""The built library as the loader sees it: its exports, its needs, and its linking."""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import gns_py

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.clone, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads ELF")]

DT_NEEDED, DT_STRTAB, DT_FLAGS, DT_FLAGS_1 = 1, 5, 30, 0x6FFFFFFB
DF_BIND_NOW, DF_1_NODELETE = 8, 8
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
SHT_DYNAMIC, SHT_DYNSYM = 6, 11


@dataclass(frozen=True)
class Elf:
    """The parts of an ELF file that the tests read."""

    exported: frozenset[str]
    needed: frozenset[str]
    flags: int
    flags_1: int
    segments: dict[int, int]
    """The flags of each type of segment (1 executable, 2 writable, 4 readable)."""


def text_at(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()


def read_elf(content: bytes) -> Elf:
    assert content[:6] == b"\x7fELF\x02\x01", "64 bits, little endian"
    program_offset, section_offset = struct.unpack_from("<QQ", content, 32)
    program_size, program_count, section_size, section_count = struct.unpack_from("<4H", content, 54)
    segments = dict(struct.unpack_from("<II", content, program_offset + i * program_size) for i in range(program_count))
    # The type is at 4; after flags and address follow the offset, the size and the link (the section with the names).
    sections = [
        struct.unpack_from("<4xI16xQQI", content, section_offset + i * section_size) for i in range(section_count)
    ]

    def section(wanted: int) -> tuple[bytes, bytes]:
        _, offset, size, link = next(entry for entry in sections if entry[0] == wanted)
        names = sections[link]
        return content[offset : offset + size], content[names[1] : names[1] + names[2]]

    symbols, names = section(SHT_DYNSYM)
    exported = frozenset(
        text_at(names, name)
        for name, _info, _other, defined_in, _, _ in struct.iter_unpack("<IBBHQQ", symbols)
        if defined_in
    )
    dynamic, names = section(SHT_DYNAMIC)
    tags = list(struct.iter_unpack("<qQ", dynamic))
    return Elf(
        exported=exported,
        needed=frozenset(text_at(names, value) for tag, value in tags if tag == DT_NEEDED),
        flags=next((value for tag, value in tags if tag == DT_FLAGS), 0),
        flags_1=next((value for tag, value in tags if tag == DT_FLAGS_1), 0),
        segments=segments,
    )


@pytest.fixture(scope="module")
def content() -> bytes:
    return gns_py.build_info().library.read_bytes()


@pytest.fixture(scope="module")
def elf(content: bytes) -> Elf:
    return read_elf(content)


def test_exports_exactly_the_functions_of_the_header(elf: Elf) -> None:
    headers = "".join(path.read_text() for path in (ROOT / "build_native/core").glob("gns_core*.h"))
    header = re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL)
    declared = set(re.findall(r"\b(gns_\w+)\(", header))
    assert len(declared) > 20
    assert elf.exported == declared


def test_needs_only_the_c_library_when_vendored(elf: Elf) -> None:
    c_library = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}
    others = {name for name in elf.needed - c_library if not name.startswith(("ld-linux", "libc.musl", "ld-musl"))}
    if gns_py.build_info().mode == "vendored":
        assert others == set()
    else:
        assert {name.split(".")[0] for name in others} >= {"libcrypto", "libprotobuf"}


def test_stays_loaded_after_dlclose(elf: Elf) -> None:
    assert elf.flags_1 & DF_1_NODELETE


def test_is_hardened(elf: Elf) -> None:
    assert elf.flags & DF_BIND_NOW
    assert PT_GNU_RELRO in elf.segments
    assert elf.segments[PT_GNU_STACK] & 1 == 0, "the stack is not executable"


def test_gns_asserts_are_compiled_in(content: bytes) -> None:
    """-D_CERT would leave only the fatal ones."""
    assert len(re.findall(rb"(?<!Fatal )Assertion Failed: ", content)) > 100


def test_holds_no_path_of_the_build_machine(content: bytes) -> None:
    assert str(ROOT / "build_native").encode() not in content
    assert str(ROOT / "vendor").encode() not in content
