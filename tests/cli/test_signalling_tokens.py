"""Files of tokens: what they may have, and that errors show no token."""

from __future__ import annotations

from pathlib import Path

import pytest

from gns_py import Identity
from gns_py.cli.output import CommandError
from gns_py.cli.signalling_tokens import Tokens


def test_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# of friends\n\n  t0ken  str:alice \nsecond\tstr:bob smith\n", encoding="utf-8")
    tokens = Tokens.load(path)
    assert tokens.identity("t0ken") == Identity.string("alice")
    assert tokens.identity("second") == Identity.string("bob smith")
    assert tokens.identity("# of") is None
    assert tokens.identity("") is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has no tokens"),
        ("# comment", "has no tokens"),
        ("s3cret", "line 1: not a token and an identity"),
        ("\ns3cret alice", "line 2: not a token and an identity"),
        ("s3cret ip:1.2.3.4", "line 1: ip:1.2.3.4 cannot be"),
        ("s3cret str:a\ns3cret str:b", "line 2: the token is there already"),
    ],
)
def test_other_files(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match=error) as raised:
        Tokens.load(path)
    assert "s3cret" not in str(raised.value).removeprefix(str(path))


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="not UTF-8"):
        Tokens.load(path)
