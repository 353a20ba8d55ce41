// Work that may fail, for lack of memory as a rule, and must then cost one connection only.
#pragma once

#include <exception>
#include <memory>
#include <utility>

#include "connection.hpp"

namespace gns_core {

// The text for a peer whose connection ends because of that.
constexpr const char *no_memory_text = "this end has no memory for the connection";

class Attempts {
public:
    // Does a piece of work for this connection, or for none (nullptr). If it throws, the exception is logged, the
    // connection is marked to be ended, and later work is not affected. Returns whether it did not throw.
    template <class Work> bool run(const std::shared_ptr<Connection> &connection, Work &&work) noexcept {
        try {
            std::forward<Work>(work)();
            return true;
        } catch (const std::exception &error) {
            log(error.what());
        } catch (...) {
            log("unknown exception");
        }
        if (connection) fail(*connection);
        return false;
    }

    // Marks a connection to be ended: later, not while GNS calls, and when there is memory for it.
    void fail(Connection &connection) noexcept {
        connection.failed = true;
        some_failed_ = true;
    }
    bool some_failed() const { return some_failed_; }
    bool take_failed() noexcept { return std::exchange(some_failed_, false); }

private:
    static void log(const char *what) noexcept;

    bool some_failed_ = false;
};

} // namespace gns_core
