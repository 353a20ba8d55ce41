"""``gns-py certs``, as programs."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.certificate_vectors import CERTIFICATES

from gns_py import Identity
from gns_py.certs import Authority, Certificate, CertificateRequest, Credentials, Issued, verify
from gns_py.certs.ledger import FolderLedger
from gns_py.cli.main import main

pytest.importorskip("cryptography")

Run = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = ("init-ca", "issue", "intermediate", "inspect", "verify", "revoke", "list", "serve")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a new authority."""
    Authority.create().save(tmp_path / "ca")
    return tmp_path / "ca"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command in this process: its exit code, and what it has printed."""
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["certs", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


Call = Callable[..., "tuple[int, str, str]"]


def test_from_nothing_to_a_certificate_that_is_verified(run: Run, tmp_path: Path) -> None:
    for arguments in (
        ("init-ca", "ca"),
        ("issue", "--ca", "ca", "--identity", "str:alice", "-o", "alice.gns"),
        ("verify", "alice.gns", "--trust", "ca/ca.cert", "--identity", "str:alice"),
    ):
        result = run("certs", *arguments)
        assert (result.returncode, result.stderr) == (0, "")
    assert "alice.gns: valid" in result.stdout
    authority = Authority.load(tmp_path / "ca")
    assert verify(Credentials.load(tmp_path / "alice.gns").certificate, trust=[authority.root])
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "alice.gns").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_json(call: Call, command: str) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert f"usage: gns-py certs {command}" in out
    assert ("--json" in out) == (command != "serve")


def test_json_of_all_commands(call: Call, folder: Path, tmp_path: Path) -> None:
    def facts(*arguments: object) -> Any:
        code, out, err = call(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    root = facts("init-ca", tmp_path / "other", "--days", 10)
    assert root["kind"] == "root"
    assert root["key_id"] == root["issuer_key_id"] == str(Authority.load(tmp_path / "other").root.key_id)
    middle = facts("intermediate", "--ca", folder, "-o", tmp_path / "middle")
    assert (middle["kind"], middle["identity"]) == ("authority", None)
    leaf = facts("issue", "--ca", tmp_path / "middle", "--identity", "str:bob", "--days", 2, "-o", tmp_path / "bob")
    assert (leaf["kind"], leaf["identity"], leaf["app_ids"]) == ("certificate", "str:bob", [0])
    assert leaf["issuer_key_id"] == middle["key_id"]
    trust = "--trust", tmp_path / "middle" / "ca.cert"
    inspected = facts("inspect", tmp_path / "bob", *trust)
    assert inspected == {"certificates": [{**leaf, "verified": True}], "private_key": "not encrypted"}
    assert facts("verify", tmp_path / "bob", *trust) == {"valid": True, "reason": None, **leaf}
    assert facts("list", "--ca", folder)["issued"][0]["key_id"] == middle["key_id"]
    assert facts("revoke", "--ca", tmp_path / "middle", "str:bob") == {"revoked": [leaf["key_id"]]}
    listed = facts("list", "--ca", tmp_path / "middle")
    assert [each["identity"] for each in listed["issued"]] == ["str:bob"]
    assert [each["key_id"] for each in listed["revoked"]] == [leaf["key_id"]]


def test_verify_says_which_check_failed(call: Call, folder: Path, tmp_path: Path) -> None:
    leaf = tmp_path / "leaf"
    credentials = Authority.load(folder).issue("str:alice")
    credentials.save(leaf)
    trust = "--trust", folder / "ca.cert"
    Authority.create().save(tmp_path / "other")
    key_id = credentials.certificate.key_id
    for more, check in (
        (("--trust", tmp_path / "other" / "ca.cert"), "issuer"),
        ((*trust, "--identity", "str:bob"), "identity"),
        ((*trust, "--app-id", 7), "app id"),
        ((*trust, "--revoked", key_id), "revoked"),
        ((*trust, "--revoked", f"ID{key_id}"), "revoked"),
    ):
        code, out, _ = call("verify", leaf, *more, "--json")
        assert code == 1
        assert json.loads(out)["check"] == check
        code, out, err = call("verify", leaf, *more)
        assert (code, out) == (1, "")
        assert err.startswith(f"gns-py certs verify: error: {leaf} is not valid: it")
    assert call("verify", leaf, *trust, "--ca", folder)[0] == 0
    assert call("revoke", "--ca", folder, leaf)[0] == 0
    assert call("verify", leaf, *trust, "--ca", folder)[0] == 1
    assert call("verify", folder / "ca.cert", *trust)[0] == 0


def test_what_cannot_be_written_is_not_issued(call: Call, folder: Path, tmp_path: Path) -> None:
    """The authority has no note of a certificate that there is not."""
    taken = tmp_path / "taken"
    taken.touch()
    assert call("intermediate", "--ca", folder, "-o", taken)[0] == 1
    for output in (folder, taken, tmp_path / "nowhere" / "new"):
        assert call("issue", "--ca", folder, "--identity", "str:alice", "-o", output)[0] == 1
    assert json.loads(call("list", "--ca", folder, "--json")[1])["issued"] == []


def test_a_request_is_signed(call: Call, folder: Path, tmp_path: Path) -> None:
    request = CertificateRequest(Certificate(CERTIFICATES["leaf"]).key)
    file = tmp_path / "request"
    for data in (request.encode(), b"CiQIARIggTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=\n"):
        file.write_bytes(data)
        code, out, _ = call("inspect", file, "--json")
        assert (code, json.loads(out)["key_id"]) == (0, str(request.key_id))
    made = tmp_path / "made"
    arguments = "issue", "--ca", folder, "--identity", "str:alice", "--request", file, "-o", made
    assert call(*arguments)[0] == 0
    assert Certificate.load(made).key == request.key
    assert "PRIVATE" not in made.read_text()
    assert "exists" in call(*arguments)[2]


def test_a_request_for_the_key_of_another_player_is_not_signed(call: Call, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_bytes(CertificateRequest(Certificate(CERTIFICATES["leaf"]).key).encode())
    issue = "issue", "--ca", folder, "--request", file
    assert call(*issue, "--identity", "str:alice", "-o", tmp_path / "alice")[0] == 0
    code, out, err = call(*issue, "--identity", "str:mallory", "-o", tmp_path / "mallory")
    assert (code, out, err.count("\n"), "of another identity" in err) == (1, "", 1, True)
    assert not (tmp_path / "mallory").exists()
    assert call(*issue, "--identity", "str:alice", "-o", tmp_path / "renewed")[0] == 0


def test_a_key_of_two_identities_is_revoked_by_its_number_alone(call: Call, folder: Path) -> None:
    now = datetime.now(timezone.utc)
    for key_id, name in ((1, "alice"), (1, "mallory"), (2, "mallory")):
        entry = Issued(key_id, Identity.string(name), now, now + timedelta(hours=1))
        FolderLedger(folder).add_issued(entry)
    code, out, err = call("revoke", "--ca", folder, "str:mallory")
    assert (code, out, err.count("\n"), "were not revoked" in err) == (1, "", 1, True)
    assert Authority.load(folder).revoked == {2}
    assert call("revoke", "--ca", folder, 1)[0] == 0
    assert Authority.load(folder).revoked == {1, 2}


def test_passwords(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name}\n")
    ca, out = tmp_path / "ca", tmp_path / "alice"
    assert call("init-ca", ca, "--password-file", tmp_path / "one")[0] == 0
    issue = "issue", "--ca", ca, "--identity", "str:alice", "-o", out
    assert "a password is needed" in call(*issue)[2]
    assert "wrong" in call(*issue, "--password-file", tmp_path / "two")[2]
    assert "at a terminal" in call(*issue, "--password")[2]
    assert call(*issue, "--password-file", tmp_path / "one", "--new-password-file", tmp_path / "two")[0] == 0
    assert Credentials.load(out, "two")
    assert "private key, encrypted" in call("inspect", out)[1]
    # At a terminal it asks, for a new one twice.
    answers = ["three", "three", "three", "four"]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: answers.pop(0))
    assert call("init-ca", tmp_path / "asked", "--password")[0] == 0
    assert Authority.load(tmp_path / "asked", "three")
    assert "differ" in call("init-ca", tmp_path / "other", "--password")[2]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "COMMAND"),
        (("dance",), 2, "'dance'"),
        (("issue", "--ca", "ca"), 2, "--identity"),
        (("issue", "--ca", "ca", "--identity", "alice", "-o", "x"), 2, "'alice' is not an identity"),
        (("issue", "--ca", "ca", "--identity", "str:a", "--hours", "0", "-o", "x"), 2, "out of range"),
        (("issue", "--ca", "ca", "--identity", "str:a", "--hours", "1", "--days", "1", "-o", "x"), 2, "not allowed"),
        (("init-ca", "new", "--days", "30000"), 2, "out of range"),
        (("verify", "x"), 2, "--trust"),
        (("verify", "x", "--trust", "x", "--revoked", "y"), 2, "'y' is not the number of a key"),
        (("init-ca", "ca"), 1, "exists"),
        (("issue", "--ca", "ca", "--identity", "ip:1.2.3.4", "-o", "x"), 1, "cannot be proved"),
        (("issue", "--ca", "ca", "--identity", "str:a", "--days", "4000", "-o", "x"), 1, "outlive"),
        (("issue", "--ca", "ca", "--identity", "str:a", "-o", "ca"), 1, "ca exists"),
        (("issue", "--ca", "ca", "--identity", "str:a", "-o", "no/x"), 1, "no is not a folder"),
        (("issue", "--ca", "nowhere", "--identity", "str:a", "-o", "x"), 1, "not the folder of an authority"),
        (("intermediate", "--ca", "ca", "-o", "ca"), 1, "exists"),
        (("inspect", "nowhere"), 1, "nowhere"),
        (("inspect", "junk"), 1, "junk: neither a certificate nor a request"),
        (("inspect", "ca/ca.key"), 1, "no 'STEAMDATAGRAM CERT' block"),
        (("issue", "--ca", "ca", "--identity", "str:a", "--request", "junk", "-o", "x"), 1, "junk: not a request"),
        (("verify", "request", "--trust", "ca/ca.cert"), 1, "a request, not a certificate"),
        (("verify", "ca/ca.cert", "--trust", "request"), 1, "a request, not a certificate"),
        (("verify", "ca/ca.cert", "--trust", "ca/ca.cert", "--identity", "str:a"), 1, "issued to an authority"),
        (("revoke", "--ca", "ca", "request"), 1, "a request, not a certificate"),
        (("revoke", "--ca", "ca", "dance"), 1, "not the number of a key, a file, or an identity"),
        (("revoke", "--ca", "ca", "str:carol"), 1, "no certificate of str:carol"),
        (("revoke", "--ca", "ca", "0"), 1, "not the number of a key"),
        (("list", "--ca", "."), 1, "not the folder of an authority"),
    ],
)
def test_errors_are_one_line(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "junk").write_bytes(b"\xff" * 10)
    (folder.parent / "request").write_bytes(CertificateRequest(Certificate(CERTIFICATES["leaf"]).key).encode())
    found, out, err = call(*arguments)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert err.startswith("gns-py certs")
    assert said in err


def test_without_the_library_it_says_how_to_install_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = tmp_path / "leaf"
    Certificate(CERTIFICATES["leaf"]).save(leaf)
    for name in [each for each in sys.modules if each.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    code, _, err = call("init-ca", tmp_path / "ca")
    assert (code, err.count("\n")) == (1, 1)
    assert "pip install 'gns-py[certs]'" in err
    assert call("inspect", leaf)[0] == 0


def test_what_is_shown_cannot_command_a_terminal(call: Call, folder: Path, tmp_path: Path) -> None:
    Authority.load(folder).issue("str:al\x1b[2Jice").save(tmp_path / "alice")
    for arguments in (("inspect", tmp_path / "alice"), ("list", "--ca", folder)):
        code, out, _ = call(*arguments)
        assert code == 0
        assert "\x1b" not in out
        assert "al\\x1b" in out
