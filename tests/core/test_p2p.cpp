// Connections from peer to peer.
#include "p2p.hpp"

TEST(p2p, connects_and_carries_messages) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    check_alive(link.server, link.inbound, link.client, link.outbound);
}
