"""Files that hold private keys: modes at every moment, and nothing half written."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gns_py.certs import MalformedCertificate, files, pem

modes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")


@pytest.fixture(autouse=True)
def wide_umask() -> Iterator[None]:
    """Let files be open to all unless their creator says otherwise."""
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return the names and modes of all files that were created, as they were when they were still empty."""
    found: list[tuple[str, int]] = []
    real = os.open

    def watched(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        number = real(path, flags, mode, **more)
        if flags & os.O_CREAT:
            found.append((os.fspath(path), stat.S_IMODE(os.fstat(number).st_mode)))
        return number

    monkeypatch.setattr(os, "open", watched)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@modes
def test_a_file_is_never_open_to_others(tmp_path: Path, seen: list[tuple[str, int]]) -> None:
    files.write_private(tmp_path / "key", "secret")
    files.append_private(tmp_path / "list", "one\n", durable=True)
    assert len(seen) == 2
    assert {each for _, each in seen} == {0o600}
    assert mode(tmp_path / "key") == mode(tmp_path / "list") == 0o600


@modes
def test_a_folder_is_never_open_to_others(tmp_path: Path, seen: list[tuple[str, int]]) -> None:
    files.write_private_folder(tmp_path / "ca", {"key": "secret", "cert": "public"})
    assert {each for _, each in seen} == {0o600}
    assert mode(tmp_path / "ca") == 0o700
    assert mode(tmp_path / "ca" / "key") == 0o600


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    files.write_private(path, "first")
    with pytest.raises(FileExistsError, match=f"^{re.escape(str(path))} exists$"):
        files.write_private(path, "second")
    assert path.read_text() == "first"
    files.write_private(path, "third", replace=True)
    assert path.read_text() == "third"
    folder = tmp_path / "ca"
    folder.mkdir()
    with pytest.raises(FileExistsError):
        files.write_private_folder(folder, {"key": "x"})
    with pytest.raises(FileExistsError):
        files.write_private_folder(path, {"key": "x"})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ca", "key"]
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        files.write_private(tmp_path / "link", "secret")
    with pytest.raises(FileExistsError):
        files.write_private_folder(tmp_path / "link", {"key": "x"})
    assert not (tmp_path / "elsewhere").exists()


def test_without_links_nothing_is_overwritten_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", link)
    files.write_private(tmp_path / "key", "first")
    with pytest.raises(FileExistsError):
        files.write_private(tmp_path / "key", "second")
    assert (tmp_path / "key").read_text() == "first"


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="full"):
        files.write_private(tmp_path / "key", "secret")
    with pytest.raises(OSError, match="full"):
        files.write_private_folder(tmp_path / "ca", {"key": "secret", "cert": "public"})
    assert list(tmp_path.iterdir()) == []


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(files.append_private, path, f"{number:03}" * 50 + "\n", durable=False)
    assert sorted(path.read_text().split()) == [f"{number:03}" * 50 for number in range(200)]


def test_an_incomplete_write_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda _number, data: len(data) - 1)
    with pytest.raises(OSError, match="list"):
        files.append_private(tmp_path / "list", "one\n", durable=False)


def test_texts_are_bounded_and_text(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xff")
    with pytest.raises(MalformedCertificate, match="not text"):
        files.read_text(path)
    path.write_bytes(b"x" * (pem.MAX_TEXT + 1))
    with pytest.raises(MalformedCertificate, match="more than"):
        files.read_text(path)
    path.write_bytes(b"x" * pem.MAX_TEXT)
    assert len(files.read_text(path)) == pem.MAX_TEXT
