"""The options of `gns-py echo` and `gns-py ping` about certificates, between two programs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support import Peer

from gns_py.certs import Authority, Certificate, Credentials

pytest.importorskip("cryptography")

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Ping = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder: root.cert, server.gns and alice.gns under it; unknown.cert, and mallory.gns under that."""
    authority, unknown = Authority.create(), Authority.create()
    authority.root.save(tmp_path / "root.cert")
    unknown.root.save(tmp_path / "unknown.cert")
    authority.issue("str:server").save(tmp_path / "server.gns")
    authority.issue("str:alice").save(tmp_path / "alice.gns")
    unknown.issue("str:mallory").save(tmp_path / "mallory.gns")
    return tmp_path


@pytest.fixture
def server(files: Path, start: Callable[..., Peer]) -> Iterator[tuple[Peer, int]]:
    """Yield a `gns-py echo` that presents a certificate and demands one, and its port."""
    arguments = ["--cert", files / "server.gns", "--trust", files / "root.cert", "--require-authentication"]
    with start("echo", "--host", "127.0.0.1", "--port", 0, *arguments) as program:
        yield program, int(program.line().rpartition(":")[2])


@pytest.fixture
def ping(run: Run, server: tuple[Peer, int]) -> Ping:
    """Return a function that pings that server with these arguments."""
    return lambda *arguments: run("ping", f"127.0.0.1:{server[1]}", "-c", 1, *arguments)


ALICE = ("--cert", "alice.gns", "--trust", "root.cert")


def assert_failed(result: subprocess.CompletedProcess[str], *said: str) -> None:
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    for text in said:
        assert text in result.stderr


def test_both_ends_are_authenticated(ping: Ping, server: tuple[Peer, int]) -> None:
    result = ping(*ALICE, "--expect", "str:server", "--require-authentication")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\nserver: authenticated as str:server\n" in result.stdout
    assert server[0].line().endswith(" connected, authenticated as str:alice")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "has no certificate"),
        (("--cert", "mallory.gns", "--trust", "unknown.cert"), "certificate of str:mallory: CA key"),
    ],
)
def test_a_server_refuses(ping: Ping, arguments: tuple[str, ...], said: str) -> None:
    assert_failed(ping(*arguments), "closed by the peer, 4003 REMOTE_BAD_CERT: authentication required", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--expect", "str:other"), "expected str:other, found str:server"),
        (("--expect-key", "00" * 32), "str:server has another key than expected"),
    ],
)
def test_a_client_refuses(ping: Ping, arguments: tuple[str, ...], said: str) -> None:
    assert_failed(ping(*ALICE, *arguments), f"4003 REMOTE_BAD_CERT: {said}")


@pytest.mark.usefixtures("files")
def test_a_client_refuses_a_server_without_a_certificate(run: Run, echo: Any) -> None:
    target = f"127.0.0.1:{echo.port}"
    assert_failed(
        run("ping", target, "--trust", "root.cert", "--require-authentication"),
        "authentication required",
        "has no certificate",
    )
    assert run("ping", target, "--trust", "root.cert", "-c", 1).returncode == 0


def test_a_pinned_key_needs_no_authority(run: Run, files: Path, start: Callable[..., Peer]) -> None:
    key = Certificate.load(files / "server.gns").key.hex()
    with start(
        "echo", "--host", "127.0.0.1", "--port", 0, "--cert", files / "server.gns", "--trust", files / "root.cert"
    ) as program:
        target = f"127.0.0.1:{program.line().rpartition(':')[2]}"
        result = run("ping", target, "-c", 1, "--expect-key", "00" * 32, "--expect-key", key, "--expect", "str:server")
        assert program.line().endswith(" connected")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\nserver: has the key that is expected\n" in result.stdout


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_private_key_with_a_password(ping: Ping, files: Path) -> None:
    Credentials.load(files / "alice.gns").save(files / "locked.gns", "secret")
    (files / "password").write_text("secret\n")
    (files / "wrong").write_text("guess\n")
    locked = ("--cert", "locked.gns", "--trust", "root.cert")
    assert ping(*locked, "--password-file", "password").returncode == 0
    assert_failed(ping(*locked), "gns-py ping: error: locked.gns: ", "password")
    assert_failed(ping(*locked, "--password-file", "wrong"), "locked.gns: ", "password")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cert", "missing.gns", "--trust", "root.cert"), "No such file or directory: 'missing.gns'"),
        (("--cert", "alice.gns", "--trust", "missing.cert"), "No such file or directory: 'missing.cert'"),
        (("--cert", "root.cert", "--trust", "root.cert"), "root.cert: there is no private key"),
        (("--cert", "alice.gns", "--trust", "unknown.cert"), "alice.gns: it is not trusted here: CA key"),
        (("--trust", "root.cert", "--trust", "alice.gns"), "alice.gns: it is the certificate of an identity"),
        (("--trust", "password"), "password: not a certificate"),
    ],
)
def test_files_that_are_of_no_use(run: Run, files: Path, arguments: tuple[str, ...], said: str) -> None:
    (files / "password").write_text("-----BEGIN ")
    for command in (("ping", "127.0.0.1"), ("echo", "--port", 0)):
        assert_failed(run(*command, *arguments), f"gns-py {command[0]}: error: ", said)


def test_a_certificate_that_has_expired(run: Run, tmp_path: Path) -> None:
    earlier = datetime.now(timezone.utc) - timedelta(hours=2)
    authority = Authority.create()
    authority.root.save(tmp_path / "root.cert")
    authority.issue("str:alice", created=earlier).save(tmp_path / "old.gns")
    assert_failed(run("echo", "--port", 0, "--cert", "old.gns", "--trust", "root.cert"), "old.gns: ", "expired")
