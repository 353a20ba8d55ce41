"""Checks of libraries for Linux."""

from __future__ import annotations

import re

import lief

from build_native.wheels.binaries.findings import Findings
from build_native.wheels.targets import Target

_MACHINES = {"x86_64": lief.ELF.ARCH.X86_64, "aarch64": lief.ELF.ARCH.AARCH64}
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
# Functions that musl 1.2.1 to 1.2.5 added to 1.2.0.
_NEW_IN_MUSL = {"_Fork", "gettid", "preadv2", "pthread_getname_np", "pwritev2", "qsort_r", "reallocarray", "statx"}

_TAG = lief.ELF.DynamicEntry.TAG
_SEGMENT = lief.ELF.Segment.TYPE
_BIND_NOW, _STATIC_TLS, _TEXTREL = 0x8, 0x10, 0x4  # of DT_FLAGS
_NOW, _NODELETE = 0x1, 0x8  # of DT_FLAGS_1
_EXECUTE, _WRITE = 1, 2


def examine(content: bytes, target: Target, api: set[str], found: Findings) -> None:
    """Check a library, which must export the functions of `api` and nothing else."""
    library = lief.ELF.parse(content)
    if library is None:
        found.problems.append("the library is not an ELF file")
        return
    found.expect(library.header.machine_type == _MACHINES[target.processor], f"built for {library.header.machine_type}")
    _examine_needs(library, target, found)
    exported = {str(symbol.name) for symbol in library.dynamic_symbols if symbol.exported}
    found.expect_same("exports", exported, api)
    _examine_hardening(library, found)
    found.expect(not list(library.symtab_symbols), "not stripped: it has a symbol table")
    found.expect(not [each for each in library.sections if str(each.name).startswith(".debug")], "has debug sections")

    # Some aarch64 systems have pages of 64 KiB, and cannot load segments with a smaller alignment.
    alignment = min(segment.alignment for segment in library.segments if segment.type == _SEGMENT.LOAD)
    needed_alignment = 0x10000 if target.processor == "aarch64" else 0x1000
    found.expect(alignment >= needed_alignment, f"segments aligned to {alignment}, pages can have {needed_alignment}")
    found.facts.append(f"ELF {target.processor}, {len(exported)} functions exported")


def _examine_needs(library: lief.ELF.Binary, target: Target, found: Findings) -> None:
    needed = {str(name) for name in library.libraries}
    undefined = [symbol for symbol in library.dynamic_symbols if symbol.imported]
    if target.is_musl:
        found.expect_same("needs", needed, {f"libc.musl-{target.processor}.so.1"})
        names = {str(symbol.name) for symbol in undefined}
        strange = {name for name in names if name.startswith("_Z") or name in _NEW_IN_MUSL}
        found.expect_only("undefined, and not in musl 1.2.0", strange, set())
        found.facts.append(f"needs {', '.join(sorted(needed))}")
        return

    c_library = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", _LOADERS[target.processor]}
    found.expect_only("needs libraries that not every system has", needed, c_library)
    oldest = re.search(r"manylinux_(\d+)_(\d+)", target.platform)
    assert oldest is not None
    newest = (0, 0)
    for symbol in undefined:
        auxiliary = symbol.symbol_version.symbol_version_auxiliary if symbol.symbol_version else None
        version = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", str(auxiliary.name)) if auxiliary else None
        if version is not None:
            newest = max(newest, (int(version[1]), int(version[2])))
        elif symbol.binding != lief.ELF.Symbol.BINDING.WEAK:
            found.problems.append(f"undefined, and not in glibc: {symbol.name!s}")
    promised = (int(oldest[1]), int(oldest[2]))
    found.expect(newest <= promised, f"needs glibc {newest[0]}.{newest[1]}, the tag promises {oldest[1]}.{oldest[2]}")
    found.facts.append(f"needs glibc {newest[0]}.{newest[1]}: {', '.join(sorted(needed))}")


def _examine_hardening(library: lief.ELF.Binary, found: Findings) -> None:
    def value(tag: lief.ELF.DynamicEntry.TAG) -> int:
        entry = library.get(tag)
        return entry.value if entry else 0

    before = len(found.problems)
    flags, flags_1 = value(_TAG.FLAGS), value(_TAG.FLAGS_1)
    segments = {segment.type: segment for segment in library.segments}
    found.expect(flags & _BIND_NOW and flags_1 & _NOW, "not BIND_NOW: its jump table stays writable")
    found.expect(flags_1 & _NODELETE, "not NODELETE: the interpreter would crash at its exit")
    found.expect(_SEGMENT.GNU_RELRO in segments, "no RELRO")
    stack = segments.get(_SEGMENT.GNU_STACK)
    found.expect(stack and not int(stack.flags) & _EXECUTE, "the stack would be executable")
    for segment in library.segments:
        if segment.type == _SEGMENT.LOAD:
            flags_of_it = int(segment.flags)
            found.expect(not (flags_of_it & _WRITE and flags_of_it & _EXECUTE), "a segment is writable and executable")
    found.expect(not flags & _TEXTREL and not library.has(_TAG.TEXTREL), "TEXTREL: loading it writes to code")
    found.expect(not flags & _STATIC_TLS, "STATIC_TLS: a running process cannot always load it")
    found.expect(not library.has(_TAG.RPATH) and not library.has(_TAG.RUNPATH), "has a path to search for libraries")
    if len(found.problems) == before:
        found.facts.append("relro, bind now, nodelete, no executable stack, no text relocation, no library path")
