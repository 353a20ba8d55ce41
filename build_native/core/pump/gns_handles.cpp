#include "pump/gns_handles.hpp"

#include <algorithm>

#include "config.hpp"
#include "gns/gatekeeper.hpp"
#include "pump/attempts.hpp"

namespace gns_core {

void GnsHandles::open() { poll_group_ = SteamNetworkingSockets()->CreatePollGroup(); }

void GnsHandles::close() {
    by_gns_handle_.fill(nullptr);
    for (const auto &socket : listen_sockets_) set_admission(socket->gns_handle, nullptr);
    listen_sockets_.clear();
    SteamNetworkingSockets()->DestroyPollGroup(poll_group_);
}

void GnsHandles::adopt(const std::shared_ptr<Connection> &connection, HSteamNetConnection gns_handle) {
    SteamNetworkingSockets()->SetConnectionPollGroup(gns_handle, poll_group_);
    SteamNetConnectionInfo_t info;
    if (SteamNetworkingSockets()->GetConnectionInfo(gns_handle, &info)) {
        connection->last_info = to_info(info, *connection);
        connection->state.store(info.m_eState);
    }
    refresh_send_limits(*connection, gns_handle);
    try {
        connections_.insert(connection);
    } catch (...) { // its owner has not heard of it
        SteamNetworkingSockets()->CloseConnection(gns_handle, GNS_END_INTERNAL_ERROR, no_memory_text, false);
        throw;
    }
    connection->gns_handle.store(gns_handle);
    by_gns_handle_[index(gns_handle)] = connection;
}

void GnsHandles::remove(const std::shared_ptr<ListenSocket> &socket) {
    listen_sockets_.erase(std::find(listen_sockets_.begin(), listen_sockets_.end(), socket));
}

std::shared_ptr<ListenSocket> GnsHandles::find_listen_socket(HSteamListenSocket gns_handle) const {
    for (const auto &socket : listen_sockets_)
        if (socket->gns_handle == gns_handle) return socket;
    return nullptr;
}

bool GnsHandles::is_symmetric(const ListenSocket &socket) {
    return effective_int(k_ESteamNetworkingConfig_SymmetricConnect, socket.gns_handle,
                         k_ESteamNetworkingConfig_ListenSocket) != 0;
}

std::shared_ptr<ListenSocket> GnsHandles::find_listen_socket_p2p(int32_t virtual_port) const {
    for (const auto &socket : listen_sockets_)
        if (socket->signalling && socket->virtual_port == virtual_port) return socket;
    return nullptr;
}

} // namespace gns_core
