"""The bill of materials is valid, agrees with the sources, and is reproducible."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from build_native.materialise import SOURCES, VENDOR, read_pins
from build_native.sbom import LICENSE_FILE

pytest.importorskip("cyclonedx", reason="has CycloneDX's schema: cyclonedx-python-lib[json-validation]")

import license_expression  # type: ignore[import-untyped]
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.clone,
    pytest.mark.skipif(
        not all((SOURCES / each).is_dir() for each in ("gns", "protobuf", "openssl")), reason="build once"
    ),
]


def write(output: Path, *options: str, platform: str = "Linux x86_64", **environment: str) -> str:
    command = [sys.executable, "-m", "build_native.sbom", str(output), "--version", "0.1.0", "--platform", platform]
    if "--gns" not in options:
        command += ["--gns", str(SOURCES / "gns")]
    subprocess.run([*command, *options], cwd=ROOT, env={**os.environ, **environment}, check=True, timeout=60)
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the bill of a build with all possible components; the compiler is this machine's."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    output = tmp_path_factory.mktemp("bill") / "gns-py.cdx.json"
    options = ["--parts", "protobuf", "openssl", "--zig", "0.17.1", "--compiler", compiler, "-O2"]
    return write(output, *options, platform="Windows x86_64", SOURCE_DATE_EPOCH="1700000000")


def components(text: str) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(text)["components"]}


def assert_valid(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    licenses = license_expression.get_spdx_licensing()
    for each in components(text).values():
        assert PackageURL.from_string(each["purl"]).name
        expression = each["licenses"][0]["expression"]
        known = expression.replace("LicenseRef-public-domain", "MIT").replace("LicenseRef-gdtoa", "MIT")
        assert licenses.validate(known).errors == [], expression


def test_is_valid(text: str) -> None:
    assert_valid(text)


@pytest.mark.parametrize("wheel", sorted((ROOT / "dist").glob("*.whl")), ids=lambda wheel: wheel.stem.split("-")[-1])
def test_is_valid_in_the_wheels(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/sboms/gns-py.cdx.json"))
        assert_valid(archive.read(name).decode())


def test_names_everything_with_its_version(text: str) -> None:
    listed = {name: each["version"] for name, each in components(text).items()}
    assert listed["GameNetworkingSockets"] == "1.6.0"
    assert listed["protobuf"] == listed["utf8_range"] == "27.2"
    assert listed["OpenSSL"] == "4.0.3"
    assert listed["zig"] == "0.17.1"
    assert {"abseil", "ed25519-donna", "curve25519-donna"} <= listed.keys()
    assert json.loads(text)["dependencies"][0] == {"ref": "gns-py", "dependsOn": list(listed)}


def test_knows_the_compilers_runtime(text: str) -> None:
    listed = components(text)
    asked = subprocess.run(["c++", "-dumpfullversion", "-dumpversion"], capture_output=True, text=True, check=True)
    runtime = {"libstdc++", "libgcc"} if "libstdc++" in listed else {"libc++", "libc++abi"}
    assert {listed[name]["version"] for name in runtime} == {asked.stdout.strip()}


def test_sources_are_the_pinned_ones(text: str) -> None:
    pins = read_pins(VENDOR / "Cargo.lock")
    for name, crate in {
        "GameNetworkingSockets": "game-networking-sockets-sys",
        "protobuf": "protobuf-src",
        "abseil": "protobuf-src",
        "OpenSSL": "openssl-src",
    }.items():
        source = components(text)[name]["externalReferences"][0]
        url = PackageURL.from_string(source["url"])
        assert (url.type, url.name, url.version) == ("cargo", crate, pins[crate].version)
        assert source["hashes"] == [{"alg": "SHA-256", "content": pins[crate].sha256}]


def test_scanners_find_openssl(text: str) -> None:
    openssl = components(text)["OpenSSL"]
    assert openssl["cpe"] == "cpe:2.3:a:openssl:openssl:4.0.3:*:*:*:*:*:*:*"
    assert openssl["purl"] == "pkg:github/openssl/openssl@openssl-4.0.3"


def test_every_licence_is_in_vendor(text: str) -> None:
    for name, each in components(text).items():
        files = [property_["value"] for property_ in each["properties"] if property_["name"] == LICENSE_FILE]
        assert files, name
        for file in files:
            assert (VENDOR / "licenses" / file).is_file(), file


def test_licences_are_those_of_the_sources() -> None:
    for name, source in {
        "GameNetworkingSockets": "gns/LICENSE",
        "protobuf": "protobuf/LICENSE",
        "abseil": "protobuf/third_party/abseil-cpp/LICENSE",
        "utf8_range": "protobuf/third_party/utf8_range/LICENSE",
        "OpenSSL": "openssl/LICENSE.txt",
    }.items():
        assert (VENDOR / "licenses" / f"{name}.txt").read_bytes() == (SOURCES / source).read_bytes()


def test_is_the_same_for_the_same_build(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, "--parts", "openssl", SOURCE_DATE_EPOCH="1700000000") for name in "ab")
    assert first == second
    assert json.loads(first)["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    later = write(tmp_path / "c", "--parts", "openssl", SOURCE_DATE_EPOCH="1700000001")
    assert json.loads(later)["serialNumber"] != json.loads(first)["serialNumber"]
    assert components(later) == components(first)


def test_parts_that_are_not_linked_in_are_left_out(tmp_path: Path) -> None:
    """The bill of a build against the distribution's libraries, with GNS sources of the user's own."""
    own = tmp_path / "gns"
    own.mkdir()
    (own / "CMakeLists.txt").write_text('set(GNS_VERSION "1.7.0")\n')
    listed = components(write(tmp_path / "bill.json", "--gns", str(own)))
    assert list(listed) == ["GameNetworkingSockets"]
    assert listed["GameNetworkingSockets"]["version"] == "1.7.0"
    assert "externalReferences" not in listed["GameNetworkingSockets"]
