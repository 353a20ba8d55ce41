"""gns_py in one process with libraries that bring the same code: OpenSSL, BoringSSL, protobuf, abseil, libuv.

Each case is a program, see together.py, which uses everything at once; its exit code counts, too. Libraries that are
not installed are skipped: the extra ``coexistence`` has them all, and ``.ci/coexistence`` runs this module with nothing
skipped.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gns_py import _native
from gns_py._native.library import PATH

PROGRAM = Path(__file__).with_name("together.py")
# The module with the native code of each library.
CRYPTOGRAPHY = "cryptography.hazmat.bindings._rust"
PROTOC = "grpc_tools.protoc"
PROTOBUF = "google.protobuf.message"
OTHERS = ["ssl", CRYPTOGRAPHY, "grpc", PROTOBUF, PROTOC, "numpy", "uvloop"]
# The parts of the C library, and the loader.
SYSTEM = re.compile(r"/(ld-linux[^/]*|lib(c|m|dl|rt|pthread))\.so\.\d+$")


def is_here(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def is_fair(module: str) -> bool:
    """Return whether gns_py is expected to work together with it.

    The distribution's C++ protobuf and another one in the same process share what C++ has only once per process, and
    crash: a reason why wheels bring their own and hide it.
    """
    is_cpp = module == PROTOC or (
        module == PROTOBUF and os.environ.get("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION") == "cpp"
    )
    return not (is_cpp and _native.build_info().mode == "system")


HERE = [module for module in OTHERS if is_here(module) and is_fair(module)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a self-signed certificate for localhost and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    ec = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ec")

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def use_together(folder: Path, certificate: tuple[Path, Path], *modules: str, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", str(PROGRAM), *map(str, certificate), *modules],
        cwd=folder,
        # Otherwise grpc may report the end of its channel.
        env={**os.environ, "GRPC_VERBOSITY": "ERROR", **environment},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("module", OTHERS)
def test_imported(module: str, order: str, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    if not is_here(module):
        pytest.skip(f"{module} is not installed")
    if not is_fair(module):
        pytest.skip("the distribution's C++ protobuf clashes with any other")
    modules = [module, "gns_py"] if order == "before" else ["gns_py", module]
    use_together(tmp_path, certificate, *modules)


def test_all_imported_before(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    use_together(tmp_path, certificate, *HERE, "gns_py")


def test_all_imported_after(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    use_together(tmp_path, certificate, "gns_py", *HERE)


@pytest.mark.skipif(not hasattr(sys, "setdlopenflags"), reason="this system has no symbols that all modules share")
def test_symbols_that_others_offer_to_all(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    use_together(tmp_path, certificate, "global", *HERE, "gns_py")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's loader tells what it binds")
@pytest.mark.skipif(_native.build_info().mode == "system", reason="this library uses the distribution's")
def test_only_the_c_library_is_bound(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    """Our library binds no symbol of another library, and no other library binds one of ours."""
    trace = tmp_path / "trace"
    use_together(
        tmp_path,
        certificate,
        "global",
        *HERE,
        "gns_py",
        LD_BIND_NOW="1",
        LD_DEBUG="bindings",
        LD_DEBUG_OUTPUT=str(trace),
    )
    lines = "".join(each.read_text(errors="replace") for each in tmp_path.glob("trace.*"))
    bound = re.findall(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `([^']+)'", lines)
    ours = str(PATH)
    assert any(taker == ours and SYSTEM.search(giver) for taker, giver, _ in bound), "the loader told nothing of us"
    foreign = [
        (taker, giver, symbol)
        for taker, giver, symbol in bound
        if (taker == ours) != (giver == ours) and not (taker == ours and SYSTEM.search(giver))
    ]
    assert foreign == []
