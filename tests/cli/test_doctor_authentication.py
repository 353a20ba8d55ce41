"""The part of `gns-py doctor` about certificates."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import gns_py
from gns_py.certs import Authority, Expect
from gns_py.cli.authentication import Authentication, Trusted
from gns_py.cli.doctor_authentication import examine

pytest.importorskip("cryptography")

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Problems = list[tuple[str, str, str]]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with root.cert, alice.gns, and unknown.cert, which has not issued it."""
    authority = Authority.create()
    authority.root.save(tmp_path / "root.cert")
    authority.issue("str:alice").save(tmp_path / "alice.gns")
    Authority.create().root.save(tmp_path / "unknown.cert")
    return tmp_path


def test_without_certificates(run: Run) -> None:
    result = run("doctor")
    assert result.returncode == 0
    assert "presents          nothing" in result.stdout
    assert "trusts            no authority" in result.stdout
    facts = json.loads(run("doctor", "--json").stdout)["authentication"]
    assert datetime.fromisoformat(facts.pop("clock"))
    assert facts == {
        "usable": True,
        "presents": None,
        "trusts": [],
        "requires_authentication": False,
        "expects": None,
    }


@pytest.mark.usefixtures("files")
def test_says_what_it_would_present_and_trust(run: Run) -> None:
    arguments = ["--cert", "alice.gns", "--trust", "root.cert", "--trust", "unknown.cert", "--require-authentication"]
    arguments += ["--expect", "str:eu-1", "--expect-key", "00" * 32]
    result = run("doctor", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert "presents          str:alice, key " in result.stdout
    assert result.stdout.count("trusts            root, key ") == 2
    assert "demands of peers  a certificate" in result.stdout
    assert f"expects           str:eu-1, the key {'00' * 32}\n" in result.stdout
    facts = json.loads(run("doctor", *arguments, "--json").stdout)
    told = facts["authentication"]
    assert (told["usable"], told["requires_authentication"]) == (True, True)
    assert told["expects"] == {"identity": "str:eu-1", "keys": ["00" * 32]}
    assert (told["presents"]["file"], told["presents"]["identity"]) == ("alice.gns", "str:alice")
    assert told["presents"]["issuer_key_id"] == told["trusts"][0]["key_id"]
    assert [each["file"] for each in told["trusts"]] == ["root.cert", "unknown.cert"]
    assert [each for each in facts["problems"] if "alice" in each["problem"]] == []


@pytest.mark.usefixtures("files")
def test_a_certificate_that_is_not_trusted(run: Run) -> None:
    result = run("doctor", "--cert", "alice.gns", "--trust", "unknown.cert")
    assert (result.returncode, result.stderr) == (1, "")
    assert "; refused\n" in result.stdout
    assert "error: alice.gns: it is not trusted here: CA key" in result.stdout
    assert "Give --trust the certificates" in result.stdout
    assert "127.0.0.1  works" in result.stdout  # without it


def test_leaves_it_to_the_self_test_to_complain_of_gns(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise gns_py.InitializationError("no descriptor is left")

    monkeypatch.setattr(gns_py, "start", refuse)
    found: Problems = []
    facts = examine(Authentication(None, None, (), False, None), lambda *problem: found.append(problem))
    assert (facts["usable"], found) == (False, [])


# ---- times -----------------------------------------------------------------------------------------------------------


def problems(authority: Authority, lifetime: timedelta | None, now: datetime | None = None) -> Problems:
    """Return the problems with an authority, and with a certificate from it, at a time."""
    found: Problems = []
    credentials = None if lifetime is None else authority.issue("str:alice", lifetime=lifetime)
    trust = (Trusted(Path("root.cert"), authority.root),)
    told = Authentication(Path("alice.gns"), credentials, trust, True, Expect("str:eu-1"))
    try:
        examine(told, lambda *problem: found.append(problem), now)
    finally:
        gns_py.stop()
    return found


def test_nothing_is_wrong_with_a_new_one() -> None:
    assert problems(Authority.create(), timedelta(hours=1)) == []


@pytest.mark.parametrize(("minutes", "warned"), [(39, False), (41, True)])
def test_warns_when_it_should_have_been_renewed(minutes: int, warned: bool) -> None:
    found = problems(Authority.create(), timedelta(hours=1), datetime.now(timezone.utc) + timedelta(minutes=minutes))
    assert [(severity, "two thirds" in text) for severity, text, _ in found] == [("warning", True)] * warned


def test_an_authority_that_has_expired() -> None:
    ((severity, text, advice),) = problems(Authority.create(), None, datetime.now(timezone.utc) + timedelta(days=4000))
    assert (severity, advice) == ("warning", "Trust its successor.")
    assert "has expired" in text


def test_a_clock_that_was_never_set() -> None:
    """It says that the authority will exist in some decades."""
    found = problems(Authority.create(), None, datetime(1970, 1, 2, tzinfo=timezone.utc))
    assert [severity for severity, _, _ in found] == ["warning", "warning"]
    assert "the clock says 1970-01-02" in found[0][1]
    assert "begins only" in found[1][1]
