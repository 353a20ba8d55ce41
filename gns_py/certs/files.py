"""Files that hold private keys: written whole or not at all, and never readable by other users of the machine."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from . import pem
from .errors import MalformedCertificate

_BINARY = getattr(os, "O_BINARY", 0)  # on Windows


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a file.

    Raises:
        MalformedCertificate: It is too long, or not text.
        OSError: It cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(pem.MAX_TEXT + 1)
    if len(data) > pem.MAX_TEXT:
        raise MalformedCertificate(f"{os.fspath(path)} has more than {pem.MAX_TEXT} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedCertificate(f"{os.fspath(path)} is not text") from None


def write_private(path: str | os.PathLike[str], text: str, *, replace: bool = False) -> None:
    """Write a file that only this user can read, on systems that have modes.

    Its text is complete when it appears under its name.

    Args:
        path: The file.
        text: Its text.
        replace: True to replace a file that exists.

    Raises:
        FileExistsError: It exists, and *replace* is false.
        OSError: It cannot be written.
    """
    target = Path(path)
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # with the mode 0600
    try:
        _write(number, text)
        if replace:
            Path(name).replace(target)
        else:
            _rename_to_new(name, target)
    finally:
        Path(name).unlink(missing_ok=True)


def write_private_folder(folder: str | os.PathLike[str], texts: Mapping[str, str]) -> None:
    """Write a new folder, complete when it appears under its name. Only this user can read it and its files.

    Args:
        folder: The folder.
        texts: The texts of its files, by name.

    Raises:
        FileExistsError: The folder exists.
        OSError: It cannot be written.
    """
    target = Path(folder)
    if target.exists() or target.is_symlink():
        raise FileExistsError(f"{target} exists")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))  # with the mode 0700
    try:
        for name, text in texts.items():
            _write(os.open(temporary / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600), text)
        temporary.rename(target)
    except BaseException:
        for name in texts:
            temporary.joinpath(name).unlink(missing_ok=True)
        temporary.rmdir()
        raise


def append_private(path: Path, text: str, *, durable: bool) -> None:
    """Append to a file that only this user can read, in one piece: several processes may do it at the same time.

    Args:
        path: The file; it is created if need be.
        text: The text.
        durable: True to return only when the disk has it.

    Raises:
        OSError: It cannot be written.
    """
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY, 0o600)
    try:
        data = text.encode()
        if os.write(number, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
        if durable:
            os.fsync(number)
    finally:
        os.close(number)


def _write(number: int, text: str) -> None:
    with open(number, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(number)


def _rename_to_new(name: str, target: Path) -> None:
    """Rename a file, and refuse to replace another one."""
    try:
        os.link(name, target)
    except FileExistsError:  # it names the temporary file as well
        raise FileExistsError(f"{target} exists") from None
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(f"{target} exists") from None
        Path(name).replace(target)
