// Exported: sessions.
#include "api/calls.hpp"

using namespace gns_core;

int32_t gns_framing_begin(uint64_t connection, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        if (found->framed_receives.on()) return fail(-k_EResultInvalidState, "framing has already begun");
        found->framed_receives.begin(max_message, {credit_bytes, credit_messages});
        return 0;
    });
}

int32_t gns_framing_grant(uint64_t connection, int64_t handled, int64_t *credit_bytes, int64_t *credit_messages) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        const Credit credit = found->framed_receives.grant(handled);
        *credit_bytes = credit.bytes;
        *credit_messages = credit.messages;
        return 0;
    });
}

int64_t gns_framing_heard(uint64_t connection) {
    return with_connection(connection,
                           [](const std::shared_ptr<Connection> &found) { return found->framed_receives.heard_us(); });
}

int32_t gns_framing_allow(uint64_t connection, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        std::lock_guard lock(runtime().commands.mutex());
        found->framed_sends.allow(max_message, {credit_bytes, credit_messages});
        return 0;
    });
}

int32_t gns_framing_hold(uint64_t connection, int32_t held) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        if (held < GNS_HOLD_NONE || held > GNS_HOLD_ALL) return fail(GNS_ERROR_BAD_VALUE);
        std::lock_guard lock(runtime().commands.mutex());
        found->framed_sends.hold(held);
        return 0;
    });
}

int32_t gns_framing_sent(uint64_t connection, int64_t *numbers, int32_t lanes) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        std::lock_guard lock(runtime().commands.mutex());
        const std::vector<int64_t> &sent = found->framed_sends.numbers();
        for (size_t lane = 0; lane < static_cast<size_t>(lanes); ++lane)
            numbers[lane] = lane < sent.size() ? sent[lane] : 0;
        return 0;
    });
}
