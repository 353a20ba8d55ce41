"""Check wheels without running them: their contents, and what the library needs, exports, and is hardened with."""

from __future__ import annotations

import ast
import base64
import csv
import datetime
import email
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from build_native.sbom import LICENSE_FILE
from build_native.wheels.binaries import elf, macho, pe
from build_native.wheels.binaries.findings import Findings
from build_native.wheels.targets import TARGETS, Target, target_of
from build_native.wheels.tools import ROOT

MOST_BYTES = 2_400_000


@dataclass(frozen=True)
class Wheel:
    """The contents of a wheel."""

    path: Path
    target: Target
    files: dict[str, bytes]
    names: list[str]
    """The names in the archive, with duplicates."""
    times: set[datetime.datetime]

    @property
    def dist_info(self) -> str:
        """The name of the .dist-info folder, with a slash."""
        name, version, *_ = self.path.name.split("-")
        return f"{name}-{version}.dist-info/"

    @property
    def library_name(self) -> str:
        """The path of the native library."""
        return f"gns_py/_native/{self.target.library}"

    @property
    def library(self) -> bytes:
        """The content of the native library."""
        return self.files[self.library_name]

    def headers(self, name: str) -> email.message.Message:
        """Return the lines "Name: value" of a file in the .dist-info folder."""
        return email.message_from_bytes(self.files[self.dist_info + name])

    def bill(self) -> dict[str, Any]:
        """Return the bill of materials."""
        bill: dict[str, Any] = json.loads(self.files[f"{self.dist_info}sboms/gns-py.cdx.json"])
        if (bill["bomFormat"], bill["specVersion"]) != ("CycloneDX", "1.6"):
            raise ValueError(f"{bill['bomFormat']} {bill['specVersion']}")
        return bill

    def components(self) -> dict[str, Any]:
        """Return the components in the bill of materials, by name."""
        return {each["name"]: each for each in self.bill()["components"]}


def main(files: list[Path]) -> int:
    """Check wheels and print the findings. Return 1 if one of them has a problem or there are none, otherwise 0."""
    broken = 0
    for file in files:
        found = examine(file)
        broken += bool(found.problems)
        print(file.name)
        for fact in found.facts:
            print(f"  {fact}")
        for problem in found.problems:
            print(f"  PROBLEM: {problem}")
        print(f"  {'NOT good' if found.problems else 'good'}", flush=True)
    print(f"{len(files)} wheels checked, {broken} with problems")
    return 0 if files and not broken else 1


def check(wheel: Path) -> list[str]:
    """Return the problems of a wheel."""
    return examine(wheel).problems


def examine(path: Path) -> Findings:
    """Check a wheel."""
    found = Findings()
    target = target_of(path.name)
    if target is None:
        found.problems.append(f"the file name has no tag of a known target: {', '.join(TARGETS)}")
        return found
    found.facts.append(f"{target.name}, {path.stat().st_size:,} bytes")
    found.expect(path.stat().st_size <= MOST_BYTES, f"larger than {MOST_BYTES:,} bytes")
    try:
        wheel = _read(path, target)
    except zipfile.BadZipFile as problem:
        found.problems.append(f"cannot be unpacked: {problem}")
        return found

    if not _check_files(wheel, found):
        return found
    try:
        wheel.components()
    except (ValueError, LookupError) as problem:
        found.problems.append(f"the bill of materials cannot be read: {problem!r}")
        return found
    _check_record(wheel, found)
    _check_tags(wheel, found)
    _check_bill(wheel, found)
    _check_versions(wheel, found)
    _check_machine(wheel, found)
    _check_times(wheel, found)
    api = functions_of_api(wheel.files["gns_py/_native/_ffi.py"])
    {"Linux": elf, "Darwin": macho, "Windows": pe}[target.system].examine(wheel.library, target, api, found)
    if target.system == "Linux" and not target.is_musl:
        _check_policy(wheel, found)
    return found


def _read(path: Path, target: Target) -> Wheel:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        files = {each.filename: archive.read(each) for each in members}
        times = {datetime.datetime(*each.date_time) for each in members}
    return Wheel(path, target, files, [each.filename for each in members], times)


def functions_of_api(ffi_module: bytes) -> set[str]:
    """Return the functions that Python calls, read from cffi's module: each name follows four bytes for its kind."""
    for node in ast.walk(ast.parse(ffi_module)):
        if isinstance(node, ast.keyword) and node.arg == "_globals":
            names = (each for each in ast.literal_eval(node.value) if isinstance(each, bytes))
            return {name for each in names if (name := each[4:].decode()).startswith("gns_")}
    return set()


def _check_files(wheel: Wheel, found: Findings) -> bool:
    """Check that there are no other files. Return whether all files are there that later checks read."""
    expected = {
        wheel.library_name,
        "gns_py/__init__.py",
        "gns_py/py.typed",
        "gns_py/_native/_ffi.py",
        *(
            wheel.dist_info + name
            for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "sboms/gns-py.cdx.json")
        ),
    }
    licenses = f"{wheel.dist_info}licenses/"
    others = {
        name
        for name in wheel.files.keys() - expected
        if not (name.startswith("gns_py/") and PurePosixPath(name).suffix in (".py", ".pyi"))
        and not (name.startswith(licenses) and name.endswith(".txt"))
    }
    found.expect_only("does not belong in the wheel", others, set())
    found.expect_only("not in the wheel", expected, set(wheel.files))
    found.expect(len(wheel.names) == len(set(wheel.names)), "a file is in the archive twice")
    found.facts.append(f"{len(wheel.files)} files")
    return expected <= wheel.files.keys()


def _check_record(wheel: Wheel, found: Findings) -> None:
    name = f"{wheel.dist_info}RECORD"
    rows = {row[0]: row[1:] for row in csv.reader(wheel.files[name].decode().splitlines())}
    found.expect_same("RECORD", set(rows), set(wheel.files))
    wrong = set()
    for file, content in wheel.files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        right = ["", ""] if file == name else [f"sha256={digest}", str(len(content))]
        if rows.get(file, right) != right:
            wrong.add(file)
    found.expect_only("not as RECORD says", wrong, set())


def _check_tags(wheel: Wheel, found: Findings) -> None:
    """Check that the file's name, the file WHEEL and the table of targets name the same platform."""
    tags = {f"py3-none-{each}" for each in wheel.target.platform.split(".")}
    header = wheel.headers("WHEEL")
    found.expect_same("tags in WHEEL", set(header.get_all("Tag", [])), tags)
    found.expect(header["Root-Is-Purelib"] == "false", "WHEEL calls it a wheel without a library")
    version = wheel.headers("METADATA")["Version"]
    name = f"gns_py-{version}-py3-none-{wheel.target.platform}.whl"
    found.expect(wheel.path.name == name, f"the file must be named {name}")


def _check_bill(wheel: Wheel, found: Findings) -> None:
    """Check that the bill of materials is complete, and that the licence of each component is there."""
    expected = {"GameNetworkingSockets", "protobuf", "abseil", "utf8_range", "libc++", "libc++abi", "zig"}
    match wheel.target.system:
        case "Windows":
            expected |= {"libunwind", "mingw-w64", "curve25519-donna", "ed25519-donna"}
        case "Darwin":
            expected |= {"OpenSSL"}
        case _:
            expected |= {"OpenSSL", "libunwind"} | (set() if wheel.target.is_musl else {"glibc"})
    components = wheel.components()
    found.expect_same("bill of materials", set(components), expected)

    folder = ROOT / "vendor" / "licenses"
    licensed = wheel.headers("METADATA").get_all("License-File", [])
    found.expect_same(
        "licences in METADATA",
        {f"{wheel.dist_info}licenses/{each}" for each in licensed},
        {name for name in wheel.files if name.startswith(f"{wheel.dist_info}licenses/")},
    )
    for component in components.values():
        files = [each["value"] for each in component["properties"] if each["name"] == LICENSE_FILE]
        found.expect(files, f"the bill of materials names no licence file of {component['name']}")
        for file in files:
            text = wheel.files.get(f"{wheel.dist_info}licenses/vendor/licenses/{file}")
            found.expect(text == (folder / file).read_bytes(), f"the licence of {component['name']} is missing: {file}")
    contents = ", ".join(f"{name} {component['version']}" for name, component in components.items())
    found.facts.append(f"contains, with licences: {contents}")


def _check_versions(wheel: Wheel, found: Findings) -> None:
    """Check that the facts in the library, which gns-py doctor prints, are those of the wheel."""
    components = wheel.components()

    def version(name: str) -> str:
        return str(components[name]["version"]) if name in components else "in no bill of materials"

    crypto = "BCrypt" if wheel.target.system == "Windows" else f"OpenSSL {version('OpenSSL')}"
    facts = {
        "gns_py's version": wheel.headers("METADATA")["Version"],
        "GNS's version": version("GameNetworkingSockets"),
        "protobuf's version": version("protobuf"),
        "the crypto library": crypto,
        "the mode": "vendored",
        "the build type": "Release",
        "the platform": f"{wheel.target.system} {wheel.target.processor}",
    }
    for what, text in facts.items():
        found.expect(text.encode() + b"\0" in wheel.library, f"{what} is not in the library: {text}")


def _check_machine(wheel: Wheel, found: Findings) -> None:
    """Check that no file names folders of the machine that built it."""
    this_machines = {str(ROOT), str(Path.home()), os.environ.get("CARGO_HOME", "")}
    known = "|".join(re.escape(each) for each in sorted(this_machines - {"", "/", "/usr"}))
    folders = "home|root|tmp|work|build|builds|Users|__w|opt|mnt"
    # Below such a folder, but not in a web address; in the library also after an option: -I/...
    # Windows' paths must have some length, since machine code contains "B:\\Y" by chance.
    usual = rf"(?:/(?:{folders})/[\w.+-]+|[A-Z]:\\[\w.+\\-]{{4,}})"
    inside = r"(?:site|dist)-packages/|\.cargo/|\.cache/"
    in_text = re.compile(rf"(?:{known})\b[\w./-]*|(?<![\w.:/-]){usual}|{inside}".encode())
    in_library = re.compile(rf"(?:{known})\b[\w./-]*|{usual}|{inside}".encode())
    for name, content in wheel.files.items():
        pattern = in_library if name == wheel.library_name else in_text
        paths = {each.decode() for each in pattern.findall(content)}
        found.expect_only(f"{name} contains paths of a machine", paths, set())


def _check_times(wheel: Wheel, found: Findings) -> None:
    """Check that all files, and texts in the library, have the time of SOURCE_DATE_EPOCH."""
    found.expect(len(wheel.times) == 1, f"files of {len(wheel.times)} different times: not SOURCE_DATE_EPOCH's")
    stamp = min(wheel.times)
    stamped = wheel.bill()["metadata"].get("timestamp", "")
    steps = (datetime.timedelta(seconds=0), datetime.timedelta(seconds=1))  # archives store even seconds only
    same = {f"{(stamp + more).isoformat()}+00:00" for more in steps}
    found.expect(stamped in same, f"the bill of materials has another time: {stamped or 'none'}")
    months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
    # As compilers write __DATE__, and as C's ctime() and OpenSSL's build do.
    pattern = re.compile(rf"\b(?:{months}) [ 0-3]\d (?:\d\d:\d\d:\d\d )?20\d\d\b".encode())
    for text in sorted({" ".join(each.decode().split()) for each in pattern.findall(wheel.library)}):
        held = datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y" if ":" in text else "%b %d %Y")
        if ":" in text:
            found.expect(held - stamp in steps, f"the library contains a time of the build: {text}")
        else:
            found.expect(held.date() == stamp.date(), f"the library contains a day of the build: {text}")
    found.facts.append(f"all times are {stamp:%Y-%m-%d %H:%M:%S}")


def _check_policy(wheel: Wheel, found: Findings) -> None:
    """Check auditwheel's judgement, which installers rely on."""
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel.path)]
    done = subprocess.run(command, capture_output=True, text=True)
    output = " ".join(done.stdout.split())
    policy = re.search(r'following platform tag: "(\w+)"', output)
    promised = wheel.target.platform.split(".")
    found.expect(
        policy and policy[1] in promised, f"auditwheel: {policy[1] if policy else done.stderr[-300:] or output}"
    )
    if policy:
        found.facts.append(f"auditwheel: {policy[1]}")
