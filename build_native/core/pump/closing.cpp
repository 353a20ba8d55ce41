#include "pump/closing.hpp"

#include "delivery.hpp"
#include "gns/end_early.hpp"
#include "gns/p2p_connection.hpp"
#include "pump/rendezvous.hpp"

namespace gns_core {

namespace {

constexpr size_t max_closed = 8192; // GNS has no more connections than this

}

void Closing::close_gns(Connection &connection, int32_t reason, const char *text, bool linger) {
    const HSteamNetConnection gns_handle = connection.gns_handle.exchange(k_HSteamNetConnection_Invalid);
    if (gns_handle == k_HSteamNetConnection_Invalid) return;
    const Phase phase = connection.path ? p2p_state(gns_handle).phase : Phase::established;
    linger = linger && phase == Phase::established;
    if (linger && connection.account->messages.load() > 0) {
        // Without an entry there it lingers all the same, but no one waits for it.
        attempts_.run(nullptr, [&] { lingering_.add(connection, gns_handle); });
    }
    const std::shared_ptr<Connection> keep = handles_.remove(gns_handle);
    settle(connection);
    SteamNetworkingSockets()->CloseConnection(gns_handle, reason, text, linger);
    if (phase == Phase::connecting || phase == Phase::finding_route) signal_close(gns_handle);
    if (connection.inbound) return;
    if (closed_.size() == max_closed) closed_.pop_front();
    closed_.push_back(gns_handle);
}

void Closing::end(const std::shared_ptr<Connection> &connection, int32_t reason, const char *text) {
    push_end(connection, k_ESteamNetworkingConnectionState_ProblemDetectedLocally, reason, text);
    close_gns(*connection, reason, text, false);
}

void Closing::close_listen_socket(const std::shared_ptr<ListenSocket> &socket, int32_t reason, const std::string &text,
                                  bool linger) {
    handles_.each([&](const std::shared_ptr<Connection> &connection) {
        if (connection->listen_socket != socket->handle) return;
        attempts_.run(connection, [&] {
            connection->discard.store(true);
            push_end(connection, k_ESteamNetworkingConnectionState_None, reason, text);
            connections_.remove(connection->handle);
            int32_t said = reason;
            std::string words = text;
            said_at_end(*connection, &said, &words); // gns_close may have been first, its command still in the queue
            close_gns(*connection, said, words.c_str(), linger);
        });
    });
    end_failed(); // before their listen socket goes
    lingering_.add(*socket);
    handles_.remove(socket);
    lingering_.check();
}

bool Closing::drop_closed() {
    bool dropped = false;
    {
        const GlobalLock lock;
        for (; !dropped && !closed_.empty(); closed_.pop_front()) dropped = drop_waiting(closed_.front());
        bury_dropped();
    }
    free_closed_ports();
    return dropped;
}

void Closing::end_failed() noexcept {
    if (!attempts_.take_failed()) return;
    handles_.each([this](const std::shared_ptr<Connection> &connection) {
        if (!connection->failed) return;
        try {
            end(connection, GNS_END_INTERNAL_ERROR, no_memory_text);
        } catch (...) {
            attempts_.fail(*connection); // again in the next turn
        }
    });
}

void Closing::end_all(int32_t reason, const char *text) {
    handles_.each([&](const std::shared_ptr<Connection> &connection) {
        attempts_.run(nullptr, [&] { push_end(connection, k_ESteamNetworkingConnectionState_None, reason, text); });
        if (connection->path) attempts_.run(nullptr, [&] { close_gns(*connection, reason, text, false); });
        connection->gns_handle.store(k_HSteamNetConnection_Invalid);
    });
    attempts_.run(nullptr, [this] {
        for (const auto &connection : connections_.all()) connections_.remove(connection->handle);
    });
    closed_.clear();
}

} // namespace gns_core
