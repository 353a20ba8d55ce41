"""The scripts, as the server knows them. The contract of all stores tests what they do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gns_py.session.store import scripts

if TYPE_CHECKING:
    from support.store_servers import Server


def test_the_server_compiles_each_and_knows_it_by_its_name(valkey: Server) -> None:
    for script in scripts.ALL:
        assert valkey.call("SCRIPT", "LOAD", script.text).decode() == script.sha
        assert hashlib.sha1(script.text.encode()).hexdigest() == script.sha


def test_all_are_listed() -> None:
    defined = {value for value in vars(scripts).values() if isinstance(value, scripts.Script)}
    assert defined == set(scripts.ALL)
