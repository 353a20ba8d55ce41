"""Report newer releases of the sources that vendor/Cargo.lock pins.

Run it from the root of the clone:

    python3 -m build_native.upstream [--issue]

The version of a crate's contents is read from its sources, since a label may be wrong. cargo knows the crates. The
projects' own releases, which may be ahead of any crate, are queried with gh, if GITHUB_TOKEN is in the environment.
Exit codes: 0 for nothing newer, 1 for something newer, 2 for a failure. With --issue the report also goes into one
issue, which is opened, updated or closed; then something newer is exit code 0, too.
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
# Crates that need any version of Rust: none is compiled.
ALL_VERSIONS = {"CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS": "allow"}


@dataclass(frozen=True)
class Upstream:
    """A project, the crate with its sources, and the place of its version in the crate."""

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
        raise VendorError("no version found in GameNetworkingSockets' CMakeLists.txt")
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
    """A project: the pinned crate, the newest crate, and with a token the newest releases."""

    name: str
    pinned: Pin
    contains: str
    newest: Pin
    newest_contains: str
    releases: tuple[str, ...] | None

    @property
    def newer(self) -> list[str]:
        """The newer versions, in words."""
        found = []
        if self.newest.version != self.pinned.version:
            found.append(f"crate {self.newest.version} with {self.name} {self.newest_contains}")
        found += [f"{self.name} {version}" for version in self.releases or ()]
        return found


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, for comparisons."""
    return tuple(int(each) for each in version.split("."))


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a program, and return its output.

    Raises:
        VendorError: It failed; the text has its errors.
    """
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
    """Make cargo download the crates of a Cargo.lock."""
    run("cargo", "fetch", "--locked", "--target", CARGO_TARGET, cwd=folder)


def fetch_newest(crate: str, folder: Path) -> Pin:
    """Make cargo download the newest version of a crate, except previews and withdrawn ones, into its cache."""
    package = '[package]\nname = "newest"\nversion = "0.0.0"\n[lib]\npath = "never-built.rs"\n'
    (folder / "Cargo.toml").write_text(f'{package}[dependencies]\n{crate} = "*"\n', encoding="utf-8")
    run("cargo", "generate-lockfile", cwd=folder)
    download(folder)
    return read_pins(folder / "Cargo.lock")[crate]


def version_inside(upstream: Upstream, pin: Pin) -> str:
    """Return the project's version in a crate's sources."""
    archive = verified_archive(pin)
    if archive is None:
        raise VendorError(f"cargo's cache does not contain {pin.archive}")
    with tarfile.open(archive, "r:gz") as tar:
        content = tar.extractfile(f"{pin.crate}-{pin.version}/{upstream.version_file}")
        assert content is not None  # it is not a folder
        return upstream.version(content.read().decode())


def newer_releases(tags: Iterable[str], current: str) -> tuple[str, ...]:
    """Return the newer ones of the newest release of the current series, which gets fixes, and the newest of all."""
    versions = [found[0] for tag in tags if (found := re.search(r"(?<![\d.])\d+(\.\d+)+$", tag))]
    series = numbers(current)[:-1]
    newer = sorted((each for each in versions if numbers(each) > numbers(current)), key=numbers)
    same = [each for each in newer if numbers(each)[: len(series)] == series]
    return tuple(dict.fromkeys(same[-1:] + newer[-1:]))


def releases_of(upstream: Upstream, current: str) -> tuple[str, ...] | None:
    """Return the project's newer releases; None without a token."""
    if not os.environ.get("GITHUB_TOKEN"):
        return None
    tags = run(
        *("gh", "api", "--paginate", f"repos/{upstream.repository}/releases?per_page=100"),
        *("--jq", ".[] | select((.draft or .prerelease) | not) | .tag_name"),
    )
    return newer_releases(tags.split(), current)


def check(upstream: Upstream) -> Finding:
    """Compare a project's pin with its newest crate and releases."""
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
    """Return the findings as a table in Markdown."""
    lines = ["| | pinned | newer |", "|---|---|---|"]
    for each in findings:
        label = f"{each.name} {each.contains} (crate {each.pinned.version})"
        lines.append(f"| {each.name} | {label} | {'; '.join(each.newer) or 'nothing'} |")
    if any(each.releases is None for each in findings):
        lines += ["", "Crates only: without GITHUB_TOKEN the projects' own releases were not checked."]
    lines += ["", "How to move a pin: vendor/README.md."]
    return "\n".join(lines)


def update_issue(text: str, *, is_newer: bool) -> None:
    """Open, update or close the one issue."""
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
    """Run the program, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m build_native.upstream", description="Check for newer sources.")
    parser.add_argument("--issue", action="store_true", help="report in one issue on the forge; needs gh")
    arguments = parser.parse_args()
    try:
        with ThreadPoolExecutor() as threads:
            findings = list(threads.map(check, UPSTREAMS))
        is_newer = any(each.newer for each in findings)
        print(report(findings))
        if arguments.issue:
            update_issue(report(findings), is_newer=is_newer)
    except (VendorError, OSError, KeyError, ValueError) as problem:
        print(f"upstream: {problem}", file=sys.stderr)
        return 2
    return int(is_newer and not arguments.issue)


if __name__ == "__main__":
    sys.exit(main())
