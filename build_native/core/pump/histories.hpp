// The connections whose status is noted at intervals. Serving thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connection.hpp"

namespace gns_core {

class Histories {
public:
    // Notes the connection's status in `history` from here on; nullptr: no longer.
    void keep(const std::shared_ptr<Connection> &connection, std::shared_ptr<History> history);
    // Makes the notes that are due.
    void note();
    bool empty() const { return noted_.empty(); }
    // When the next note is due; there must be one.
    int64_t next_due_us() const;
    void clear() { noted_.clear(); }

private:
    std::vector<std::shared_ptr<Connection>> noted_;
};

} // namespace gns_core
