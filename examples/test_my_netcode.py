"""How to test netcode: real connections, bad networks, in a few lines each.

Run: pytest test_my_netcode.py, or python test_my_netcode.py. gns_py brings the fixtures gns_server, gns_pair and
gns_network; the type annotations are optional.
"""

import sys

import pytest

import gns_py.sync as gns
from gns_py.sim.pytest_plugin import NetworkMaker, PairMaker, ServerMaker


def score_board(connection: gns.Connection) -> None:
    """Add up points and answer with the sum: the netcode under test, a server."""
    total = 0
    for data in connection:
        total += int(data)
        connection.send(str(total).encode())


def test_points_are_added_up(gns_server: ServerMaker) -> None:
    server = gns_server(score_board)
    with gns.connect(*server.address) as player:
        player.send(b"20")
        player.send(b"22")
        assert [player.recv(timeout=5), player.recv(timeout=5)] == [b"20", b"42"]


@pytest.mark.parametrize("loss", [0, 5, 20])
def test_no_point_gets_lost_on_a_bad_network(gns_server: ServerMaker, gns_network: NetworkMaker, loss: int) -> None:
    gns_network(loss=loss, lag=25, jitter=5, duplicate=2)
    server = gns_server(score_board)
    with gns.connect(*server.address) as player:
        for _ in range(50):
            player.send(b"1")
        assert [player.recv(timeout=10) for _ in range(50)][-1] == b"50"


def test_only_what_is_unreliable_gets_lost(gns_pair: PairMaker, gns_network: NetworkMaker) -> None:
    client, server = gns_pair
    gns_network(loss=100)  # the cable is pulled
    client.send(b"where I was", reliable=False, nagle=False)
    client.send(b"what I shot", nagle=False)
    with pytest.raises(TimeoutError):
        server.recv(timeout=0.2)
    gns_network()  # and put in again
    assert server.recv(timeout=5) == b"what I shot"


def test_a_player_who_vanishes_is_noticed(gns_pair: PairMaker, gns_network: NetworkMaker) -> None:
    _client, server = gns_pair(gns.Config(timeout_connected=500))
    gns_network(loss=100)
    server.send(b"are you there?")  # an end that only listens notices later
    assert server.wait_closed(timeout=20).code == gns.EndReason.MISC_TIMEOUT


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
