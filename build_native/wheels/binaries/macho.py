"""Checks of libraries for macOS."""

from __future__ import annotations

import hashlib
import re
import struct

import lief

from build_native.wheels.binaries.findings import Findings
from build_native.wheels.targets import Target

_MACHINES = {"x86_64": lief.MachO.Header.CPU_TYPE.X86_64, "arm64": lief.MachO.Header.CPU_TYPE.ARM64}
_SYSTEM = {
    "/usr/lib/libSystem.B.dylib",
    "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
}
# Symbols that zig's linker always exports: the beginning of the library, and common symbols, of which OpenSSL's
# assembly for x86_64 has one. Nothing binds to it: macOS looks a symbol up in the library that it was linked from.
_LINKERS_OWN = {"_mh_dylib_header", "__dso_handle", "OPENSSL_ia32cap_P"}

_EMBEDDED_SIGNATURE, _CODE_DIRECTORY = 0xFADE0CC0, 0xFADE0C02
_AD_HOC = 0x2
_SHA256 = 2


def examine(content: bytes, target: Target, api: set[str], found: Findings) -> None:
    """Check a library, which must export the functions of `api` and nothing else."""
    binaries = lief.MachO.parse(content)
    if binaries is None or len(binaries) != 1:
        found.problems.append("the library is not a Mach-O file for one processor")
        return
    library = binaries.at(0)
    assert library is not None
    found.expect(library.header.cpu_type == _MACHINES[target.processor], f"built for {library.header.cpu_type}")

    tag = re.fullmatch(r"macosx_(\d+)_(\d+)_\w+", target.platform)
    assert tag is not None
    command = library.build_version
    made_for = [command.platform.name, *command.minos[:2]] if command else []
    found.expect(made_for == ["MACOS", int(tag[1]), int(tag[2])], f"made for {made_for}, the tag says {tag[0]}")
    found.facts.append(f"Mach-O {target.processor} for macOS {tag[1]}.{tag[2]}")

    kinds = lief.MachO.LoadCommand.TYPE
    names = {
        kind: [str(each.name) for each in library.libraries if each.command == kind]
        for kind in (kinds.ID_DYLIB, kinds.LOAD_DYLIB)
    }
    found.expect(names[kinds.ID_DYLIB] == [f"@rpath/{target.library}"], f"calls itself {names[kinds.ID_DYLIB]}")
    needed = names[kinds.LOAD_DYLIB]
    others = {str(each.name) for each in library.libraries} - {*needed, *names[kinds.ID_DYLIB]}
    found.expect_only("needs libraries that not every system has", {*needed} | others, _SYSTEM)
    found.expect(len(needed) == len(set(needed)), f"names a library twice: {', '.join(needed)}")
    found.facts.append(f"needs {', '.join(sorted(name.rpartition('/')[2] for name in needed))}")
    found.expect(
        not [each for each in library.commands if each.command == kinds.RPATH], "has a path to search for libraries"
    )

    exported = {str(symbol.name).removeprefix("_") for symbol in library.exported_symbols} - _LINKERS_OWN
    found.expect_same("exports", exported, api)
    found.facts.append(f"{len(exported)} functions exported")
    two_level = lief.MachO.Header.FLAGS.TWOLEVEL
    found.expect(two_level in library.header.flags_list, "looks symbols up in all libraries, not in those it names")
    _examine_signature(library, content, target, found)


def _examine_signature(library: lief.MachO.Binary, content: bytes, target: Target, found: Findings) -> None:
    """Check the signature, which Apple's arm64 requires; an ad-hoc one needs no certificate, only correct hashes."""
    command = library.code_signature
    if command is None:
        found.expect(target.processor != "arm64", "no signature: arm64 needs one")
        found.facts.append("not signed, which x86_64 does not need")
        return
    signature = content[command.data_offset : command.data_offset + command.data_size]
    magic, _, count = struct.unpack_from(">3I", signature)
    found.expect(magic == _EMBEDDED_SIGNATURE, "the signature is of an unknown kind")
    slots = [struct.unpack_from(">2I", signature, 12 + 8 * index) for index in range(count)]
    directories = [at for _, at in slots if struct.unpack_from(">I", signature, at)[0] == _CODE_DIRECTORY]
    found.expect(directories, "the signature has no code directory")
    for at in directories:
        _examine_code_directory(signature[at:], content, command.data_offset, found)


def _examine_code_directory(directory: bytes, content: bytes, signed: int, found: Findings) -> None:
    flags, hashes_at, _, _, count, limit = struct.unpack_from(">6I", directory, 12)
    hash_size, hash_kind, _, page_bits = struct.unpack_from(">4B", directory, 36)
    found.expect(flags & _AD_HOC, "the signature is not an ad-hoc one")
    found.expect((hash_size, hash_kind) == (32, _SHA256), "the signature's hashes are not SHA-256")
    found.expect(limit == signed, f"{limit} bytes are signed, there are {signed} before the signature")
    page = 1 << page_bits
    hashes = [directory[hashes_at + 32 * index : hashes_at + 32 * (index + 1)] for index in range(count)]
    pages = [hashlib.sha256(content[at : min(at + page, limit)]).digest() for at in range(0, limit, page)]
    wrong = [index for index, (one, other) in enumerate(zip(hashes, pages, strict=False)) if one != other]
    found.expect(
        not wrong and len(hashes) == len(pages), f"the signature is broken: {len(wrong)} of {len(pages)} pages differ"
    )
    found.facts.append(f"signed ad hoc, the hashes of {count} pages are correct" if not wrong else "signed wrongly")
