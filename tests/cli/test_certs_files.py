"""Files with certificates: what they are, and how they are shown."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.certificate_vectors import CERTIFICATES, SEEDS

from gns_py.certs import Certificate
from gns_py.certs.wire import Kind, field
from gns_py.cli.certs_files import describe, read_anything, read_request, show, when
from gns_py.cli.output import CommandError, Output


def test_bytes_and_texts(tmp_path: Path) -> None:
    leaf = Certificate(CERTIFICATES["leaf"])
    path = tmp_path / "file"
    for data, private_key in (
        (bytes(leaf), None),
        (leaf.pem().encode(), None),
        (field(1, Kind.BYTES, SEEDS["leaf"]) + bytes(leaf), "not encrypted"),
    ):
        path.write_bytes(data)
        assert read_anything(path) == ((leaf,), private_key)


@pytest.mark.parametrize("data", [b"", b"\xff", b"-----BEGIN \xff", bytes(100_000), b"-----BEGIN X-----\n" * 100_000])
def test_anything_else_is_an_error_of_the_command(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    for read in (read_anything, read_request):
        with pytest.raises(CommandError, match="file"):
            read(path)


def test_what_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    show(Output(), "title", describe(Certificate(CERTIFICATES["leaf with data centers and addresses"])))
    show(Output(), "title", {**describe(Certificate(CERTIFICATES["root"])), "verified": False})
    shown = capsys.readouterr().out
    for text in ("203.0.113.5, 2001:db8::1", "6382179, 6579558", "2023-11-14 22:13:20 UTC", "app ids        all"):
        assert text in shown
    assert "identity       none" in shown
    assert "verified       no" in shown


def test_times_are_shown_with_their_distance() -> None:
    now = datetime.now(timezone.utc)
    for away, text in (
        (timedelta(days=100, hours=1), "in 100 days"),
        (-timedelta(days=3, hours=1), "3 days ago"),
        (timedelta(hours=30, minutes=5), "in 30 hours"),
        (-timedelta(minutes=3, seconds=30), "3 minutes ago"),
        (timedelta(seconds=0), "0 seconds"),
    ):
        assert text in when(now + away)
