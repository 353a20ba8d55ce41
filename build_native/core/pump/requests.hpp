// Decides which requests for connections from peer to peer reach GNS: of one signalling. Knows nothing of GNS, and is
// told the time. Serving thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace gns_core {

class Requests {
public:
    // A connection, by its peer's identity and the peer's number of it.
    using Key = std::pair<std::string, uint32_t>;

    enum class Answer {
        known,    // it belongs to a connection that lives
        fresh,    // and may become one
        repeated, // the connection was refused, or has ended: GNS would take its peer's next attempt for a new one
        rate,
        pending,
    };
    Answer ask(const Key &key, int64_t now_us);

    // GNS has made a connection of it, which waits to be accepted.
    void begin(const Key &key);
    // It no longer waits.
    void settle(const Key &key) noexcept;
    // It is as if it had never arrived.
    void drop(const Key &key) noexcept;
    // GNS has forgotten it. If memory runs out, it is not remembered.
    void end(const Key &key, int64_t now_us) noexcept;

    static constexpr int64_t period_us = 10'000'000;
    static constexpr size_t most_in_period = 10;
    static constexpr int most_pending = 64;
    static constexpr int64_t memory_us = 15'000'000;
    static constexpr size_t most_remembered = 4096; // ended ones, and identities: beyond, the oldest is forgotten

private:
    struct Entry {
        bool pending = true;
        int64_t ended_us = 0; // 0: it lives
    };
    struct Arrival {
        int64_t time_us;
        std::string peer;
    };

    void forget(int64_t now_us);
    void forget_oldest_arrival();

    std::map<Key, Entry> entries_;
    std::deque<std::pair<int64_t, Key>> ended_; // the oldest first
    int pending_ = 0;
    std::map<std::string, std::deque<int64_t>> recent_; // the times of the last requests, by identity
    std::deque<Arrival> arrivals_;                      // of these, all together, the oldest first
};

} // namespace gns_core
