"""Write the software bill of materials of a build of the library: CycloneDX 1.6, JSON.

    python -m build_native.sbom OUTPUT --version 0.1.0 --platform "Linux x86_64" --gns vendor/src/gns
        [--parts protobuf openssl] [--zig 0.17.1] [--compiler COMPILER [FLAG...]]

If the compiler's C++ runtime is linked in statically, name the compiler, which is then asked for its runtime. The same
build gives the same bytes. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from build_native.materialise import PARTS, SOURCES, VENDOR, Pin, read_pins

LICENSE_FILE = "gns-py:license-file"
"""The property that names the file with a component's licence, in vendor/licenses and in the wheel."""


@dataclass(frozen=True)
class Component:
    """One component, with its licence as an SPDX expression."""

    name: str
    version: str
    license: str
    license_files: tuple[str, ...]
    purl: str
    cpe: str = ""
    pin: Pin | None = None
    """The crate with its sources."""

    def describe(self) -> dict[str, Any]:
        """Return the component as CycloneDX has it."""
        described: dict[str, Any] = {
            "type": "library",
            "bom-ref": self.name,
            "name": self.name,
            "version": self.version,
            "licenses": [{"expression": self.license}],
        }
        if self.cpe:
            described["cpe"] = self.cpe
        described["purl"] = self.purl
        if self.pin:
            described["externalReferences"] = [
                {
                    "type": "source-distribution",
                    "url": f"pkg:cargo/{self.pin.crate}@{quote(self.pin.version)}",
                    "hashes": [{"alg": "SHA-256", "content": self.pin.sha256}],
                }
            ]
        described["properties"] = [{"name": LICENSE_FILE, "value": file} for file in self.license_files]
        return described


def find(pattern: str, path: Path) -> str:
    """Return the group of a pattern in a file, which is a version."""
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"gns_py: no version found in {path}")
    return found[1]


def gns(source: Path, pin: Pin, platform: str) -> list[Component]:
    """Return the components of GNS."""
    version = find(r'^set\(GNS_VERSION "([^"]+)"', source / "CMakeLists.txt")
    its_pin = pin if source.resolve() == SOURCES / "gns" else None  # otherwise a source folder of the user's own
    purl = f"pkg:github/valvesoftware/gamenetworkingsockets@v{version}"
    components = [
        Component("GameNetworkingSockets", version, "BSD-3-Clause", ("GameNetworkingSockets.txt",), purl, pin=its_pin)
    ]
    if platform.startswith("Windows"):
        # BCrypt does not have Curve25519 everywhere. These are copies without a version, changed by Valve.
        components += [
            Component(
                name,
                f"as in GameNetworkingSockets {version}",
                "BSD-3-Clause AND LicenseRef-public-domain",
                ("GameNetworkingSockets.txt",),
                f"{purl}#src/external/{name}",
                pin=its_pin,
            )
            for name in ("curve25519-donna", "ed25519-donna")
        ]
    return components


def protobuf(source: Path, pin: Pin) -> list[Component]:
    """Return the components of protobuf."""
    version = find(r'"protoc_version": "([^"]+)"', source / "version.json")
    purl = f"pkg:github/protocolbuffers/protobuf@v{version}"
    # "head", or for a release a name like "lts_20240722".
    options = source / "third_party/abseil-cpp/absl/base/options.h"
    abseil = find(r"^#define ABSL_OPTION_INLINE_NAMESPACE_NAME (\w+)", options)
    return [
        Component(
            "protobuf",
            version,
            "BSD-3-Clause",
            ("protobuf.txt",),
            purl,
            f"cpe:2.3:a:google:protobuf-cpp:{version}:*:*:*:*:*:*:*",
            pin,
        ),
        Component("abseil", abseil, "Apache-2.0", ("abseil.txt",), "pkg:github/abseil/abseil-cpp", pin=pin),
        Component(
            "utf8_range", version, "MIT", ("utf8_range.txt",), f"{purl}#third_party/utf8_range", pin=pin
        ),  # a part of protobuf's repository
    ]


def openssl(source: Path, pin: Pin) -> list[Component]:
    """Return the components of OpenSSL."""
    version = ".".join(find(rf"^{part}=(\d+)", source / "VERSION.dat") for part in ("MAJOR", "MINOR", "PATCH"))
    return [
        Component(
            "OpenSSL",
            version,
            "Apache-2.0",
            ("OpenSSL.txt",),
            f"pkg:github/openssl/openssl@openssl-{version}",
            f"cpe:2.3:a:openssl:openssl:{version}:*:*:*:*:*:*:*",
            pin,
        )
    ]


def macros(compiler: list[str]) -> dict[str, str]:
    """Return the macros that the compiler and its C++ library predefine."""
    done = subprocess.run(
        [*compiler, "-x", "c++", "-std=c++17", "-E", "-dM", "-"],
        input="#include <cstdlib>\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(re.findall(r"^#define (\w+) (.*)$", done.stdout, re.MULTILINE))


def runtime(compiler: list[str], zig: str) -> list[Component]:
    """Return the parts of the C++ and C runtimes that are linked in statically."""
    defined = macros(compiler)

    def version(*names: str) -> str:
        return ".".join(defined[name] for name in names)

    components = []
    if "_LIBCPP_VERSION" in defined:
        number = int(defined["_LIBCPP_VERSION"])  # 220108 is 22.1.8
        llvm = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
        names = {"libc++": "libcxx", "libc++abi": "libcxxabi"}
        if "__APPLE__" not in defined:
            names["libunwind"] = "libunwind"  # Apple's is part of libSystem
        components += [
            Component(
                name,
                llvm,
                "Apache-2.0 WITH LLVM-exception",
                ("LLVM.txt",),
                f"pkg:github/llvm/llvm-project@llvmorg-{llvm}#{folder}",
            )
            for name, folder in names.items()
        ]
    if "_GLIBCXX_RELEASE" in defined:
        gcc = version("__GNUC__", "__GNUC_MINOR__", "__GNUC_PATCHLEVEL__")
        components += [
            Component(
                name,
                gcc,
                "GPL-3.0-or-later WITH GCC-exception-3.1",
                ("GCC-runtime-library-exception.txt",),
                f"pkg:generic/gcc@{gcc}#{folder}",
            )
            for name, folder in {"libstdc++": "libstdc%2B%2B-v3", "libgcc": "libgcc"}.items()
        ]
    if zig:
        # Its own compiler-rt, and on Windows parts of a C library, both with functions from musl.
        components.append(Component("zig", zig, "MIT", ("zig.txt", "musl.txt"), f"pkg:generic/zig@{zig}#lib"))
    if "__MINGW64_VERSION_MAJOR" in defined:
        mingw = version("__MINGW64_VERSION_MAJOR", "__MINGW64_VERSION_MINOR", "__MINGW64_VERSION_BUGFIX")
        components.append(
            Component(
                "mingw-w64",
                mingw,
                "ZPL-2.1 AND LicenseRef-gdtoa",
                ("mingw-w64.txt", "gdtoa.txt"),
                f"pkg:generic/mingw-w64@{mingw}#mingw-w64-crt",
            )
        )
    if "__GLIBC__" in defined:
        # libc_nonshared.a: the few functions that are not in libc.so.
        glibc = version("__GLIBC__", "__GLIBC_MINOR__")
        components.append(
            Component(
                "glibc",
                glibc,
                "LGPL-2.1-or-later WITH GCC-exception-2.0-note",
                ("glibc.txt",),
                f"pkg:generic/glibc@{glibc}",
            )
        )
    return components


def bill(version: str, platform: str, components: list[Component]) -> dict[str, Any]:
    """Return the bill of materials."""
    ours = {
        "type": "library",
        "bom-ref": "gns-py",
        "name": "gns-py",
        "version": version,
        "licenses": [{"expression": "MIT"}],
        "purl": f"pkg:pypi/gns-py@{version}",
        "properties": [{"name": "gns-py:platform", "value": platform}],
    }
    metadata: dict[str, Any] = {"component": ours}
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        metadata["timestamp"] = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).isoformat()
    described = [each.describe() for each in components]
    contents = {
        "metadata": metadata,
        "components": described,
        "dependencies": [
            {"ref": "gns-py", "dependsOn": [each.name for each in components]},
            *({"ref": each.name} for each in components),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(contents, sort_keys=True))  # changes only if the contents change
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": serial.urn, "version": 1, **contents}


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m build_native.sbom", description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--version", required=True, help="the version of gns_py")
    parser.add_argument("--platform", required=True, help="CMake's names of the system and the processor")
    parser.add_argument("--gns", required=True, type=Path, metavar="FOLDER", help="GNS's sources")
    parser.add_argument(
        "--parts", nargs="*", default=[], choices=["protobuf", "openssl"], help="further parts that are built in"
    )
    parser.add_argument("--zig", default="", metavar="VERSION", help="the version of zig, if it is the compiler")
    parser.add_argument(
        "--compiler",
        nargs=argparse.REMAINDER,
        help="the rest of the command line: the C++ compiler, if its runtime is linked statically",
    )
    options = parser.parse_args()

    pins = read_pins(VENDOR / "Cargo.lock")
    components = gns(options.gns, pins[PARTS["gns"].crate], options.platform)
    for name in options.parts:
        read = {"protobuf": protobuf, "openssl": openssl}[name]
        components += read(SOURCES / name, pins[PARTS[name].crate])
    if options.compiler:
        components += runtime(options.compiler, options.zig)
    written = json.dumps(bill(options.version, options.platform, components), indent=2)
    options.output.write_text(written + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
