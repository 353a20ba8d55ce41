"""Objects that exist once are not copied, and the attempt does the original no harm."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from support import Api, echo, poll_until, until_ended
from support.blocking import inner

from gns_py import MessageReceived, StatusChanged

Copy = Callable[[Any], object]
COPIES: dict[str, Copy] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy of a list": lambda thing: copy.deepcopy([thing]),
    **{f"pickle {each}": partial(pickle.dumps, protocol=each) for each in range(pickle.HIGHEST_PROTOCOL + 1)},
}
every_copy = pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)


def refuse(make: Copy, thing: object) -> None:
    thing = inner(thing)
    with pytest.raises(TypeError, match="cannot be copied or pickled, since it stands for something that exists once"):
        make(thing)
    gc.collect()


@every_copy
def test_what_owns_something_native_is_not_copied(api: Api, make: Copy) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server, api.connect(*server.address) as client, api.PollGroup() as group:
        with api.listen("127.0.0.1", 0) as listener:
            for thing in (server, listener, client, group):
                refuse(make, thing)
        client.send(b"still there")
        assert client.recv(timeout=5.0) == b"still there"
        with api.connect(*server.address) as another:
            another.send(b"open")
            assert another.recv(timeout=5.0) == b"open"


def test_what_holds_a_connection_shares_it(api: Api) -> None:
    @dataclasses.dataclass
    class Player:
        name: str
        connection: object

    with api.serve(echo, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        player = Player("ann", inner(client))
        assert copy.copy(player).connection is player.connection
        assert dataclasses.replace(player, name="bob").connection is player.connection
        with pytest.raises(TypeError, match="cannot be copied"):
            dataclasses.asdict(player)
        gc.collect()
        client.send(b"still there")
        assert client.recv(timeout=5.0) == b"still there"


@pytest.mark.parametrize("api", ["sync"], indirect=True)
def test_events_share_their_connection(api: Api) -> None:
    """Test one API: the classes are the same in both."""
    with api.listen("127.0.0.1", 0) as listener, api.connect(*listener.address, wait=False) as client:
        (request,) = (each for each in poll_until(listener, lambda _: True) if not isinstance(each, StatusChanged))
        assert copy.copy(request).connection is request.connection
        copy.copy(request).accept()  # type: ignore[union-attr,unused-ignore]
        client.send(b"x")
        events = poll_until(listener, lambda event: isinstance(event, MessageReceived))
        for event in [request, *events]:
            for shared in (copy.copy(event), dataclasses.replace(event)):
                assert shared.connection is event.connection
            for refused in (copy.deepcopy, pickle.dumps, dataclasses.asdict):
                with pytest.raises(TypeError, match="cannot be copied"):
                    refused(event)
        del event, shared, events, request
        gc.collect()
        client.poll(1.0)
        assert client.end is None
        client.close(1000, "bye")
        ended = until_ended(listener)[-1]
        assert isinstance(ended, StatusChanged)
        assert ended.end is not None
        assert ended.end.text == "bye"
