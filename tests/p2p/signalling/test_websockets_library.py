"""The library websockets is imported when it is needed, and its absence is explained."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from support import Peer

from gns_py.p2p.signalling import SignallingServer, WebSocketSignalling, websockets_library


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets", None)
    monkeypatch.setitem(sys.modules, "websockets.asyncio", None)
    with pytest.raises(ImportError, match=r"pip install 'gns-py\[p2p\]'"):
        WebSocketSignalling("ws://a", token="a")
    with pytest.raises(ImportError, match=r"pip install 'gns-py\[p2p\]'"):
        SignallingServer(lambda token: token)


def test_importing_the_package_imports_neither_library(tmp_path: Path) -> None:
    program = """
    import sys
    import gns_py.p2p, gns_py.p2p.signalling
    print(sorted(each for each in ("websockets", "cryptography") if each in sys.modules))
    """
    with Peer(program, tmp_path) as peer:
        assert peer.line() == "[]"


def test_the_librarys_own_log_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = websockets_library.silent_logger()
    logger.critical("noise of strangers")
    assert not logger.isEnabledFor(logging.CRITICAL)
    assert caplog.text == ""
