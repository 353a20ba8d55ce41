"""The permissions that the documentation gives a store's user are enough."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.stores import make_record

from gns_py.session.store import (
    Claim,
    Commit,
    Ended,
    Outgoing,
    StoreMisconfigured,
    Touch,
    ValkeyStore,
    take_over_key,
)

if TYPE_CHECKING:
    from support.store_servers import Server

pytestmark = pytest.mark.clone

PAGE = Path(__file__).parents[3] / "docs/explanation/security.md"
OWNER, NEXT = bytes(16), bytes(15) + b"\1"


def make_user(server: Server) -> None:
    """Make the user of the page."""
    found = re.search(r"^ACL SETUSER game on >PASSWORD (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    server.call("ACL", "SETUSER", "game", "on", ">PASSWORD", *found[1].split())


def make_store(server: Server, prefix: str = "gns") -> ValkeyStore:
    return ValkeyStore(server.url, prefix=prefix, username="game", password="PASSWORD")


async def use_all(store: ValkeyStore) -> None:
    await store.open()
    name = store.new_session_id()
    await store.create(make_record(name, owner=OWNER, key="key"))
    assert await take_over_key(store, "key", name, 12, ttl=60.0) == []
    message = Outgoing(0, 1, b"message")
    own: dict[str, Any] = {"id": name, "epoch": 1, "owner": OWNER, "ttl": 60.0}
    assert await store.commit([Commit(number=1, after=0, state=b"state", outgoing=[message], **own)]) == [None]
    assert await store.commit([Commit(number=2, after=1, acked={0: 1}, **own)]) == [None]
    assert await store.touch([Touch(key="key", **own)]) == [None]
    assert await store.find("key") == name
    assert await store.peek(name)
    claim = Claim(id=name, expected=1, epoch=2, owner=NEXT, ttl=60.0)
    assert (await store.claim(claim)).state == b"state"
    await store.end(name, 9)
    assert isinstance(await store.load(name), Ended)
    other = store.new_session_id()
    await store.create(make_record(other, owner=OWNER))
    await store.delete(other, 1, OWNER, key="key")
    await store.aclose()


def test_they_are_enough(own_valkey: Server) -> None:
    make_user(own_valkey)
    asyncio.run(use_all(make_store(own_valkey)))
    with pytest.raises(StoreMisconfigured, match="permission"):
        asyncio.run(make_store(own_valkey, "another").open())
