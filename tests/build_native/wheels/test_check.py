"""check finds each kind of damage, done here to real wheels, and finds undamaged wheels good."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("lief", reason="needed to read libraries")

from build_native.wheels import check
from build_native.wheels.binaries import elf, macho, pe
from build_native.wheels.binaries.findings import Findings
from build_native.wheels.targets import TARGETS, target_of

pytestmark = pytest.mark.clone

DIST = Path(__file__).resolve().parents[3] / "dist"
INFO = "gns_py-0.1.0.dist-info/"
BILL = f"{INFO}sboms/gns-py.cdx.json"


def wheel_of(*names: str) -> Path:
    """Return the wheel of the first of these targets that has been built."""
    for name in names:
        for file in DIST.glob("*.whl"):
            if target_of(file.name) is TARGETS[name]:
                return file
    pytest.skip(f"no wheel in dist/: python3 -m build_native.wheels build {names[0]}")


def library_of(name: str) -> tuple[bytes, set[str]]:
    """Return the library in a target's wheel, and the functions that it must export."""
    with zipfile.ZipFile(wheel_of(name)) as archive:
        library = archive.read(f"gns_py/_native/{TARGETS[name].library}")
        return library, check.functions_of_api(archive.read("gns_py/_native/_ffi.py"))


@pytest.mark.parametrize("name", TARGETS)
def test_wheels_are_good(name: str) -> None:
    assert check.check(wheel_of(name)) == []


def test_main_prints_facts_and_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = wheel_of("linux-x86_64", *TARGETS)
    assert check.main([wheel]) == 0
    printed = capsys.readouterr().out
    assert f"{wheel.stat().st_size:,} bytes" in printed
    assert "GameNetworkingSockets 1.6.0" in printed
    assert "1 wheels checked, 0 with problems" in printed

    other = tmp_path / "gns_py-0.1.0-py3-none-any.whl"
    other.write_bytes(b"")
    assert check.main([wheel, other]) == 1
    assert "PROBLEM: the file name has no tag" in capsys.readouterr().out
    assert check.main([]) == 1


# ---- the wheel ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good() -> Path:
    """Return a wheel to damage: small ones first, and those for glibc last, where auditwheel takes long."""
    return wheel_of("windows-x86_64", "windows-arm64", "macos-arm64", "macos-x86_64", "musl-x86_64", "linux-x86_64")


Changes = dict[str, bytes | None]


def contents(wheel: Path) -> tuple[dict[str, bytes], tuple[int, int, int, int, int, int]]:
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
        return {each.filename: archive.read(each) for each in members}, members[0].date_time


def record_of(files: dict[str, bytes]) -> bytes:
    def line(name: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        return f"{name},sha256={digest},{len(files[name])}\n"

    names = [name for name in files if name != f"{INFO}RECORD"]
    return ("".join(map(line, names)) + f"{INFO}RECORD,,\n").encode()


def damaged(good: Path, folder: Path, changes: Changes, name: str = "", record: bool = True) -> list[str]:
    """Return the problems of a wheel with other files (None removes a file), by default with a RECORD that fits."""
    files, time = contents(good)
    for file, content in changes.items():
        if content is None:
            del files[file]
        else:
            files[file] = content
    if record and f"{INFO}RECORD" not in changes:
        files[f"{INFO}RECORD"] = record_of(files)
    wheel = folder / (name or good.name)
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in files.items():
            archive.writestr(zipfile.ZipInfo(file, time), content, zipfile.ZIP_DEFLATED)
    return check.check(wheel)


def assert_finds(problems: list[str], *patterns: str) -> None:
    """Assert that the problems match the patterns, and that each pattern is matched."""
    unexpected = [problem for problem in problems if not any(re.search(each, problem) for each in patterns)]
    missed = [each for each in patterns if not any(re.search(each, problem) for problem in problems)]
    assert (unexpected, missed) == ([], [])


def test_undamaged_it_is_good(good: Path, tmp_path: Path) -> None:
    """Packing a wheel as the tests below do is not damage in itself."""
    assert damaged(good, tmp_path, {}) == []


@pytest.mark.parametrize(
    "junk",
    [
        "gns_py/__pycache__/address.cpython-311.pyc",
        "gns_py/_native/libcrypto.so.4",
        "gns_py/_native/libgns_core.so.debug",
        "tests/values/test_address.py",
        "vendor/src/gns/LICENSE",
        f"{INFO}direct_url.json",
    ],
)
def test_junk(good: Path, tmp_path: Path, junk: str) -> None:
    assert_finds(damaged(good, tmp_path, {junk: b"junk"}), f"does not belong in the wheel: {re.escape(junk)}")


@pytest.mark.parametrize("name", ["gns_py/_native/_ffi.py", "gns_py/py.typed", BILL, f"{INFO}entry_points.txt"])
def test_a_file_is_missing(good: Path, tmp_path: Path, name: str) -> None:
    assert_finds(damaged(good, tmp_path, {name: None}), f"not in the wheel: {re.escape(name)}")


def test_record(good: Path, tmp_path: Path) -> None:
    files, _ = contents(good)
    other = files["gns_py/__init__.py"] + b"\n"
    problems = damaged(good, tmp_path, {"gns_py/__init__.py": other}, record=False)
    assert_finds(problems, "not as RECORD says: gns_py/__init__.py")

    assert_finds(damaged(good, tmp_path, {"gns_py/more.py": b""}, record=False), "RECORD: missing: gns_py/more.py")

    more = files[f"{INFO}RECORD"] + b"gns_py/none.py,,\n"
    assert_finds(damaged(good, tmp_path, {f"{INFO}RECORD": more}), "RECORD: surplus: gns_py/none.py")


def test_tags(good: Path, tmp_path: Path) -> None:
    files, _ = contents(good)
    target = target_of(good.name)
    assert target is not None
    other = files[f"{INFO}WHEEL"].replace(target.platform.split(".")[0].encode(), b"linux_x86_64")
    assert_finds(damaged(good, tmp_path, {f"{INFO}WHEEL": other}), "WHEEL: surplus: .*linux_x86_64", "WHEEL: missing")

    pure = files[f"{INFO}WHEEL"].replace(b"Purelib: false", b"Purelib: true")
    assert_finds(damaged(good, tmp_path, {f"{INFO}WHEEL": pure}), "a wheel without a library")

    name = good.name.replace("0.1.0-", "0.1.0-1-")
    assert_finds(damaged(good, tmp_path, {}, name), f"must be named {re.escape(good.name)}")


def test_version(good: Path, tmp_path: Path) -> None:
    files, _ = contents(good)
    other = files[f"{INFO}METADATA"].replace(b"\nVersion: 0.1.0\n", b"\nVersion: 0.1.77\n")
    problems = damaged(good, tmp_path, {f"{INFO}METADATA": other})
    assert_finds(problems, r"must be named gns_py-0\.1\.77", r"gns_py's version is not in the library: 0\.1\.77")


def test_a_licence_is_missing_or_another(good: Path, tmp_path: Path) -> None:
    name = f"{INFO}licenses/vendor/licenses/protobuf.txt"
    problems = damaged(good, tmp_path, {name: None})
    assert_finds(problems, "licences in METADATA: surplus: .*protobuf.txt", "the licence of protobuf is missing")
    assert_finds(damaged(good, tmp_path, {name: b"Do as you like."}), "the licence of protobuf is missing")


def test_bill_of_materials(good: Path, tmp_path: Path) -> None:
    files, _ = contents(good)
    renamed = files[BILL].replace(b'"name": "abseil"', b'"name": "boost"')
    problems = damaged(good, tmp_path, {BILL: renamed})
    assert_finds(problems, "bill of materials: surplus: boost", "bill of materials: missing: abseil")

    version = files[BILL].replace(b'"version": "27.2"', b'"version": "27.99"')
    assert_finds(damaged(good, tmp_path, {BILL: version}), r"protobuf's version is not in the library: 27\.99")

    time = re.sub(rb'"timestamp": "[^"]*"', b'"timestamp": "2020-01-01T00:00:00+00:00"', files[BILL])
    assert_finds(damaged(good, tmp_path, {BILL: time}), "the bill of materials has another time: 2020")

    assert_finds(damaged(good, tmp_path, {BILL: b"{"}), "the bill of materials cannot be read")


@pytest.mark.parametrize(
    "line",
    [b"# /home/alice/gns_py", b"# C:\\Users\\alice", b"# lib/python3.11/site-packages/x", str(DIST.parent).encode()],
)
def test_a_path_of_a_machine(good: Path, tmp_path: Path, line: bytes) -> None:
    problems = damaged(good, tmp_path, {"gns_py/more.py": b"import sys  " + line + b"\n"})
    assert_finds(problems, r"gns_py/more\.py contains paths of a machine: ")


def test_the_library_contains_a_path_or_a_time(good: Path, tmp_path: Path) -> None:
    target = target_of(good.name)
    assert target is not None
    name = f"gns_py/_native/{target.library}"
    library = contents(good)[0][name]
    signed = () if target.name != "macos-arm64" else ("the signature is broken",)
    spot = b"Assertion Failed: "
    assert spot in library
    for text, problem in {
        b"-I/root/gns/include": "contains paths of a machine: /root/gns",
        b"Mar  3 2021": "a day of the build: Mar 3 2021",
        b"Mar  3 04:05:06 2021": "a time of the build: Mar 3 04:05:06 2021",
    }.items():
        at = library.index(spot)
        other = library[:at] + text + b"\0" + library[at + len(text) + 1 :]
        assert_finds(damaged(good, tmp_path, {name: other}), problem, *signed)


def test_files_of_several_times(good: Path, tmp_path: Path) -> None:
    wheel = tmp_path / good.name
    wheel.write_bytes(good.read_bytes())
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(zipfile.ZipInfo("gns_py/late.py", (2040, 1, 1, 0, 0, 0)), b"")
    assert_finds(check.check(wheel), "RECORD: missing: gns_py/late.py", "files of 2 different times")


def test_too_large_twice_or_cut_off(good: Path, tmp_path: Path) -> None:
    wheel = tmp_path / good.name
    wheel.write_bytes(bytes(check.MOST_BYTES) + good.read_bytes())  # an archive is read from its end
    assert_finds(check.check(wheel), f"larger than {check.MOST_BYTES:,} bytes")

    wheel.write_bytes(good.read_bytes())
    with zipfile.ZipFile(wheel, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(copy.copy(archive.getinfo("gns_py/py.typed")), b"")
    assert_finds(check.check(wheel), "in the archive twice")

    wheel.write_bytes(good.read_bytes()[:-1000])
    assert_finds(check.check(wheel), "cannot be unpacked")


# ---- the library ----------------------------------------------------------------------------------------------------


def problems_of(reader: ModuleType, name: str, library: bytes, api: set[str]) -> list[str]:
    found = Findings()
    examine: Callable[..., None] = reader.examine
    examine(library, TARGETS[name], api, found)
    return found.problems


def patch(library: bytes, old: bytes, new: bytes) -> bytes:
    assert library.count(old) == 1
    assert len(old) == len(new)
    return library.replace(old, new)


def dynamic(tag: int, value: int) -> bytes:
    return struct.pack("<QQ", tag, value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (dynamic(0x6FFFFFFB, 9), dynamic(0x6FFFFFFB, 1), "not NODELETE"),
        (dynamic(30, 8), dynamic(30, 0), "not BIND_NOW"),
        (dynamic(30, 8), dynamic(30, 8 | 4), "TEXTREL"),
        (dynamic(30, 8), dynamic(30, 8 | 0x10), "STATIC_TLS"),
        (dynamic(30, 8), dynamic(29, 8), "a path to search for libraries|not BIND_NOW"),
        (struct.pack("<II", 0x6474E552, 4), struct.pack("<II", 0, 4), "no RELRO"),
        (struct.pack("<II", 0x6474E551, 6), struct.pack("<II", 0x6474E551, 7), "the stack would be executable"),
        (b"\0gns_accept\0", b"\0gns_accepT\0", "exports: (surplus: gns_accepT|missing: gns_accept)$"),
        (b"\0gns_accept\0", b"\0SSL_accept\0", "exports: (surplus: SSL_accept|missing: gns_accept)$"),
        (b"\0libdl.so.2\0", b"\0libxy.so.2\0", r"not every system has: libxy\.so\.2"),
        (b"\0GLIBC_2.17\0", b"\0GLIBC_2.34\0", r"needs glibc 2\.34, the tag promises 2\.17"),
        (b"\0GLIBC_2.17\0", b"\0OTHER_2.17\0", "undefined, and not in glibc"),
        (b"\x7fELF\x02", b"\x7fELG\x02", "is not an ELF file"),
    ],
)
def test_linux(old: bytes, new: bytes, problem: str) -> None:
    library, api = library_of("linux-x86_64")
    assert problems_of(elf, "linux-x86_64", library, api) == []
    assert_finds(problems_of(elf, "linux-x86_64", patch(library, old, new), api), problem)


def test_linux_of_another_processor() -> None:
    library, api = library_of("linux-x86_64")
    assert_finds(
        problems_of(elf, "linux-aarch64", library, api), "built for .*X86_64", "ld-linux-x86-64", "aligned to 4096"
    )
    assert_finds(
        problems_of(elf, "musl-x86_64", library, api), "needs: surplus: .*libc.so.6", "needs: missing: libc.musl"
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"\0libc.musl-x86_64.so.1\0", b"\0libc.so\0l-x86_64.so.1\0", "needs: (surplus: libc.so|missing: libc.musl)"),
        (b"\0pthread_once\0", b"\0reallocarray\0", "not in musl 1.2.0: reallocarray"),
    ],
)
def test_musl(old: bytes, new: bytes, problem: str) -> None:
    library, api = library_of("musl-x86_64")
    assert_finds(problems_of(elf, "musl-x86_64", patch(library, old, new), api), problem)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"\0gns_accept\0", b"\0gns_accepT\0", "exports: (surplus: gns_accepT|missing: gns_accept)$"),
        (b"\0gns_core.dll\0", b"\0gns_cor2.dll\0", "calls itself gns_cor2.dll"),
        (b"WINMM.dll\0", b"XINMM.dll\0", "not every system has: xinmm"),
    ],
)
def test_windows(old: bytes, new: bytes, problem: str) -> None:
    library, api = library_of("windows-x86_64")
    assert_finds(problems_of(pe, "windows-x86_64", patch(library, old, new), api), problem)


def test_windows_headers() -> None:
    library, api = library_of("windows-x86_64")
    header = struct.unpack_from("<I", library, 0x3C)[0] + 24  # the optional one; its flags are at 70

    unprotected = bytearray(library)
    struct.pack_into("<H", unprotected, header + 70, 0)
    problems = problems_of(pe, "windows-x86_64", bytes(unprotected), api)
    assert_finds(problems, "no DYNAMIC_BASE", "no HIGH_ENTROPY_VA", "no NX_COMPAT")

    undebugged = bytearray(library)
    struct.pack_into("<II", undebugged, header + 112 + 6 * 8, 0, 0)  # the place of the debug directory
    assert_finds(problems_of(pe, "windows-x86_64", bytes(undebugged), api), "contains the time of the build")

    assert_finds(problems_of(pe, "windows-arm64", library, api), "built for .*AMD64")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"@rpath/libgns_core.dylib\0", b"@rpath/libgns_cor2.dylib\0", "calls itself .*cor2"),
        (b"/usr/lib/libSystem.B.dylib\0", b"/opt/lib/libSystem.B.dylib\0", "not every system has: /opt/lib"),
        (
            struct.pack("<4I", 0x32, 32, 1, 11 << 16),
            struct.pack("<4I", 0x32, 32, 2, 11 << 16),
            r"made for \['IOS', 11, 0\]",
        ),
        (
            struct.pack("<4I", 0x32, 32, 1, 11 << 16),
            struct.pack("<4I", 0x32, 32, 1, 12 << 16),
            r"made for \['MACOS', 12, 0\]",
        ),
        (b"\xfa\xde\x0c\x02", b"\xfa\xde\x0c\x03", "has no code directory"),
    ],
)
def test_macos(old: bytes, new: bytes, problem: str) -> None:
    library, api = library_of("macos-arm64")
    assert problems_of(macho, "macos-arm64", library, api) == []
    problems = problems_of(macho, "macos-arm64", patch(library, old, new), api)
    assert_finds(problems, problem, *(() if "directory" in problem else ("the signature is broken: 1 of",)))


def test_macos_signature_and_versions() -> None:
    library, api = library_of("macos-arm64")
    middle = bytearray(library)
    middle[len(library) // 2] ^= 1
    assert_finds(problems_of(macho, "macos-arm64", bytes(middle), api), "the signature is broken: 1 of")
    assert_finds(problems_of(macho, "macos-arm64", library, {*api, "gns_more"}), "exports: missing: gns_more")
    assert_finds(problems_of(macho, "macos-x86_64", library, api), "built for .*ARM64", r"made for \['MACOS', 11, 0\]")

    intel, api = library_of("macos-x86_64")
    problems = problems_of(macho, "macos-arm64", intel, api)
    assert_finds(problems, "built for .*X86_64", r"made for \['MACOS', 10, 15\]", "no signature: arm64 needs one")
