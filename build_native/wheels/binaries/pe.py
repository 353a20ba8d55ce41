"""Checks of libraries for Windows."""

from __future__ import annotations

import lief

from build_native.wheels.binaries.findings import Findings
from build_native.wheels.targets import Target

_MACHINES = {"x86_64": lief.PE.Header.MACHINE_TYPES.AMD64, "aarch64": lief.PE.Header.MACHINE_TYPES.ARM64}
# Parts of every Windows 10, in addition to its C runtime: many libraries with a common beginning of their names.
_SYSTEM = {"advapi32", "bcrypt", "dbghelp", "iphlpapi", "kernel32", "winmm", "ws2_32"}
_C_RUNTIME = "api-ms-win-crt-"

_FLAG = lief.PE.OptionalHeader.DLL_CHARACTERISTICS
_SECTION = lief.PE.Section.CHARACTERISTICS


def examine(content: bytes, target: Target, api: set[str], found: Findings) -> None:
    """Check a library, which must export the functions of `api` and nothing else."""
    library = lief.PE.parse(content)
    if library is None:
        found.problems.append("the library is not a PE file")
        return
    found.expect(library.header.machine == _MACHINES[target.processor], f"built for {library.header.machine}")

    imported = {str(each.name).lower().removesuffix(".dll") for each in library.imports}
    others = {name for name in imported if not name.startswith(_C_RUNTIME)}
    found.expect_only("needs libraries that not every system has", others, _SYSTEM)
    found.facts.append(f"needs {', '.join(sorted(others))} and the universal C runtime")

    table = library.get_export()
    exported = {str(each.name) for each in table.entries} if table else set()
    found.expect_same("exports", exported, api)
    name = str(table.name) if table else ""
    found.expect(name == target.library, f"calls itself {name}")
    found.facts.append(f"PE {target.processor}, {len(exported)} functions exported")

    _examine_hardening(library, found)
    found.expect(not list(library.symbols), "not stripped: it has a symbol table")
    _examine_time(library, found)


def _examine_hardening(library: lief.PE.Binary, found: Findings) -> None:
    flags = library.optional_header.dll_characteristics
    for flag in (_FLAG.DYNAMIC_BASE, _FLAG.HIGH_ENTROPY_VA, _FLAG.NX_COMPAT):
        found.expect(flags & int(flag), f"no {flag.name}")
    found.expect(library.has_relocations, "no relocations: it cannot be loaded at another address")
    for section in library.sections:
        both = section.has_characteristic(_SECTION.MEM_WRITE) and section.has_characteristic(_SECTION.MEM_EXECUTE)
        found.expect(not both, f"the section {section.name!s} is writable and executable")
    # A missing control flow guard is not a problem, since it is not available: zig 0.17 passes no option for it to its
    # linker, and its mingw-w64 lacks the functions that guarded calls use.
    names = ", ".join(str(flag.name) for flag in _FLAG if flags & int(flag))
    found.facts.append(f"{names}; control flow guard: {'yes' if flags & int(_FLAG.GUARD_CF) else 'no'}")


def _examine_time(library: lief.PE.Binary, found: Findings) -> None:
    """Check for the mark of a reproducible linker, which writes a hash in place of the time."""
    kinds = {each.type for each in library.debug}
    found.expect(lief.PE.Debug.TYPES.REPRO in kinds, "contains the time of the build: it is not marked as reproducible")
    for each in library.debug:
        if isinstance(each, lief.PE.CodeViewPDB):
            path = str(each.filename)
            found.expect(not set(path) & set("/\\:"), f"contains the path of its debug information: {path}")
