"""Tells which of the sources that vendor/Cargo.lock pins have a newer release. Run it from the root of the clone:

    python3 -m build_native.upstream [--issue]

What a crate really contains is read from its sources: a label may be off. cargo knows the crates; the projects' own
releases, which may be ahead of any crate, are asked for by gh, with a GITHUB_TOKEN in the environment only.
Exit code 0: nothing is newer; 1: something is; 2: it could not be found out.
With --issue the answer also goes into one issue, which is opened, updated or closed for it; then 1 is 0, too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from build_native.materialise import CARGO_TARGET, VENDOR, Pin, VendorError, read_pins, verified_archive

TITLE = "Newer releases of what gns_py is built from"
# Whatever Rust a crate asks for: nothing of it is compiled.
ALL_VERSIONS = {"CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS": "allow"}


@dataclass(frozen=True)
class Upstream:
    """A project, the crate that carries it, and where in the crate its version stands."""

    name: str
    crate: str
    repository: str
    version_file: str
    version: Callable[[str], str]


def _openssl_version(text: str) -> str:
    fields = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)', text, re.MULTILINE))
    return "{MAJOR}.{MINOR}.{PATCH}".format_map(fields)


def _protobuf_version(text: str) -> str:
    (release,) = json.loads(text).values()
    return str(release["protoc_version"])


def _gns_version(text: str) -> str:
    found = re.search(r'set\(GNS_VERSION "([^"]+)"\)', text)
    if found is None:
        raise VendorError("GameNetworkingSockets' CMakeLists.txt does not tell its version")
    return found[1]


UPSTREAMS = (
    Upstream(
        "GameNetworkingSockets",
        "game-networking-sockets-sys",
        "ValveSoftware/GameNetworkingSockets",
        "thirdparty/GameNetworkingSockets/CMakeLists.txt",
        _gns_version,
    ),
    Upstream("OpenSSL", "openssl-src", "openssl/openssl", "openssl/VERSION.dat", _openssl_version),
    Upstream("protobuf", "protobuf-src", "protocolbuffers/protobuf", "protobuf/version.json", _protobuf_version),
)


@dataclass(frozen=True)
class Finding:
    """One project: the crate as pinned, the newest crate, and with a token the newest releases."""

    name: str
    pinned: Pin
    contains: str
    newest: Pin
    newest_contains: str
    releases: tuple[str, ...] | None

    @property
    def newer(self) -> list[str]:
        """What is newer than the pin, in words; empty if nothing is."""
        told = []
        if self.newest.version != self.pinned.version:
            told.append(f"crate {self.newest.version} with {self.name} {self.newest_contains}")
        told += [f"{self.name} {version}" for version in self.releases or ()]
        return told


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("."))


def run(*command: str, cwd: Path | None = None) -> str:
    """What a program prints; VendorError, with its last words, if it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **ALL_VERSIONS}, capture_output=True, text=True, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorError(f"{command[0]}: {error}") from None
    if done.returncode:
        raise VendorError(f"{' '.join(command[:3])}: {' '.join(done.stderr.split()) or done.returncode}")
    return done.stdout


def download(folder: Path) -> None:
    run("cargo", "fetch", "--locked", "--target", CARGO_TARGET, cwd=folder)


def fetch_newest(crate: str, folder: Path) -> Pin:
    """The newest version that is no preview and not withdrawn, downloaded by cargo into its cache."""
    package = '[package]\nname = "newest"\nversion = "0.0.0"\n[lib]\npath = "never-built.rs"\n'
    (folder / "Cargo.toml").write_text(f'{package}[dependencies]\n{crate} = "*"\n', encoding="utf-8")
    run("cargo", "generate-lockfile", cwd=folder)
    download(folder)
    return read_pins(folder / "Cargo.lock")[crate]


def version_inside(upstream: Upstream, pin: Pin) -> str:
    archive = verified_archive(pin)
    if archive is None:
        raise VendorError(f"cargo's cache does not hold {pin.archive}")
    with tarfile.open(archive, "r:gz") as tar:
        content = tar.extractfile(f"{pin.crate}-{pin.version}/{upstream.version_file}")
        assert content is not None  # a folder
        return upstream.version(content.read().decode())


def newer_releases(tags: Iterable[str], current: str) -> tuple[str, ...]:
    """The newest release of the current series, where the fixes come, and the newest of all; each only if newer."""
    versions = [found[0] for tag in tags if (found := re.search(r"(?<![\d.])\d+(\.\d+)+$", tag))]
    series = numbers(current)[:-1]
    newer = sorted((each for each in versions if numbers(each) > numbers(current)), key=numbers)
    same = [each for each in newer if numbers(each)[: len(series)] == series]
    return tuple(dict.fromkeys(same[-1:] + newer[-1:]))


def releases_of(upstream: Upstream, current: str) -> tuple[str, ...] | None:
    if not os.environ.get("GITHUB_TOKEN"):
        return None
    tags = run(
        *("gh", "api", "--paginate", f"repos/{upstream.repository}/releases?per_page=100"),
        *("--jq", ".[] | select((.draft or .prerelease) | not) | .tag_name"),
    )
    return newer_releases(tags.split(), current)


def look(upstream: Upstream) -> Finding:
    pinned = read_pins(VENDOR / "Cargo.lock")[upstream.crate]
    with tempfile.TemporaryDirectory() as folder:
        newest = fetch_newest(upstream.crate, Path(folder))
    if verified_archive(pinned) is None:
        download(VENDOR)
    contains = version_inside(upstream, pinned)
    return Finding(
        upstream.name, pinned, contains, newest, version_inside(upstream, newest), releases_of(upstream, contains)
    )


def report(findings: list[Finding]) -> str:
    """A table in Markdown."""
    lines = ["| | pinned | newer |", "|---|---|---|"]
    for each in findings:
        label = f"{each.name} {each.contains} (crate {each.pinned.version})"
        lines.append(f"| {each.name} | {label} | {'; '.join(each.newer) or 'nothing'} |")
    if any(each.releases is None for each in findings):
        lines += ["", "Crates only: without GITHUB_TOKEN the projects' own releases were not looked at."]
    lines += ["", "How to move a pin: vendor/README.md."]
    return "\n".join(lines)


def tell_in_issue(text: str, *, is_newer: bool) -> None:
    """Opens, updates or closes the one issue."""
    search = (
        "gh",
        "issue",
        "list",
        "--state",
        "open",
        "--search",
        f'in:title "{TITLE}"',
        "--json",
        "number,title,body",
    )
    open_now = [each for each in json.loads(run(*search)) if each["title"] == TITLE]
    if not open_now:
        if is_newer:
            run("gh", "issue", "create", "--title", TITLE, "--body", text)
    elif not is_newer:
        run("gh", "issue", "close", str(open_now[0]["number"]), "--comment", text)
    elif open_now[0]["body"].split() != text.split():
        run("gh", "issue", "edit", str(open_now[0]["number"]), "--body", text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m build_native.upstream", description="Look for newer sources.")
    parser.add_argument("--issue", action="store_true", help="keep one issue on the forge that tells it; needs gh")
    arguments = parser.parse_args()
    try:
        with ThreadPoolExecutor() as threads:
            findings = list(threads.map(look, UPSTREAMS))
        is_newer = any(each.newer for each in findings)
        print(report(findings))
        if arguments.issue:
            tell_in_issue(report(findings), is_newer=is_newer)
    except (VendorError, OSError, KeyError, ValueError) as problem:
        print(f"upstream: {problem}", file=sys.stderr)
        return 2
    return int(is_newer and not arguments.issue)


if __name__ == "__main__":
    sys.exit(main())
