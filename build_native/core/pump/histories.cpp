#include "pump/histories.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "history.hpp"

namespace gns_core {

void Histories::keep(const std::shared_ptr<Connection> &connection, std::shared_ptr<History> history) {
    noted_.erase(std::remove(noted_.begin(), noted_.end(), connection), noted_.end());
    if (history && connection->gns_handle.load() != k_HSteamNetConnection_Invalid) noted_.push_back(connection);
    std::lock_guard lock(connection->end_mutex);
    connection->history = std::move(history);
}

void Histories::note() {
    if (noted_.empty()) return;
    const int64_t now = now_us();
    const auto is_over = [now](const std::shared_ptr<Connection> &connection) {
        History &history = *connection->history; // changed by this thread only
        if (now < history.due_us()) return false;
        SteamNetConnectionRealTimeStatus_t status;
        const EResult result =
            SteamNetworkingSockets()->GetConnectionRealTimeStatus(connection->gns_handle.load(), &status, 0, nullptr);
        if (result != k_EResultOK) return true;
        history.note({now, to_status(status)});
        return false;
    };
    noted_.erase(std::remove_if(noted_.begin(), noted_.end(), is_over), noted_.end());
}

int64_t Histories::next_due_us() const {
    int64_t next = std::numeric_limits<int64_t>::max();
    for (const auto &connection : noted_) next = std::min(next, connection->history->due_us());
    return next;
}

} // namespace gns_core
