// GNS's log lines as records.
#include <cstring>

#include "core.hpp"

namespace {

std::vector<gns_log_record> receive_log(int32_t count, int64_t *dropped) {
    std::vector<gns_log_record> records(static_cast<size_t>(count));
    records.resize(static_cast<size_t>(OK(gns_log_receive(records.data(), count, dropped))));
    return records;
}

} // namespace

TEST(log, lines_up_to_the_level) {
    OK(gns_log_set_level(5));
    const int64_t begin = gns_time_us();
    {
        Link link;
    }
    int64_t dropped = -1;
    const std::vector<gns_log_record> records = receive_log(1000, &dropped);
    CHECK_EQUAL(dropped, 0);
    CHECK(!records.empty());
    int64_t last = begin;
    for (const gns_log_record &record : records) {
        CHECK(record.level >= 1 && record.level <= 5);
        CHECK(record.time_us >= last && record.time_us <= gns_time_us());
        CHECK_EQUAL(static_cast<size_t>(record.size), std::strlen(record.text));
        CHECK(record.size > 0 && record.text[record.size - 1] != '\n');
        last = record.time_us;
    }
    OK(gns_log_set_level(0));
    {
        Link link;
    }
    CHECK(receive_log(1000, &dropped).empty());
}

TEST(log, a_mailbox_tells_that_there_are_some) {
    OK(gns_log_set_level(5));
    {
        Link link;
    }
    Mailbox mailbox;
    std::vector<gns_event> events(1);
    gns_batch batch;
    CHECK_EQUAL(gns_mailbox_receive(mailbox.handle, 0, events.data(), 1, nullptr, 0, &batch), 0);
    CHECK_EQUAL(batch.logs, 1);
    int64_t dropped = 0;
    receive_log(1000, &dropped);
    CHECK_EQUAL(gns_mailbox_receive(mailbox.handle, 0, events.data(), 1, nullptr, 0, &batch), 0);
    CHECK_EQUAL(batch.logs, 0);
}

TEST(log, what_nobody_fetches_is_counted) {
    OK(gns_log_set_level(8));
    int64_t dropped = 0;
    const gns_option verbose{k_ESteamNetworkingConfig_LogLevel_Message, GNS_TYPE_INT32, 8, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &verbose)); // a line for each message
    {
        Link link(fast(), fast());
        for (int i = 0; i < 2000; ++i) OK(send(link.outbound, "x"));
        for (int i = 0; i < 2000; ++i) link.server.message();
    }
    OK(gns_config_reset(GNS_SCOPE_GLOBAL, 0, verbose.value));
    OK(gns_log_set_level(0));
    OK(gns_stop(0));
    size_t kept = 0;
    for (size_t got = 1; got > 0; kept += got) {
        int64_t lost = 0;
        got = receive_log(100, &lost).size();
        dropped += lost;
    }
    CHECK_EQUAL(kept, size_t{1024});
    CHECK(dropped > 0);
}

TEST(log, works_while_nothing_runs) {
    OK(gns_stop(0));
    int64_t dropped = 0;
    CHECK(receive_log(1, &dropped).empty());
    OK(gns_log_set_level(6));
    OK(gns_start(nullptr, 0));
    {
        Link link;
    }
    OK(gns_stop(0));
    CHECK(!receive_log(1000, &dropped).empty());
    CHECK_EQUAL(gns_log_set_level(-1), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_log_set_level(9), GNS_ERROR_BAD_VALUE);
}

TEST(log, refusals_say_why) {
    Mailbox mailbox;
    const gns_address address = free_address();
    listen(mailbox, address);
    expect_log("bind");
    uint64_t socket = 0;
    CHECK_EQUAL(gns_listen(mailbox.handle, &address, nullptr, 0, nullptr, nullptr, &socket), GNS_ERROR_SYSTEM);
    CHECK(std::strstr(gns_last_error_text(), "bind") != nullptr);
    CHECK_EQUAL(gns_connection_state(0), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(std::string(gns_last_error_text()), gns_error_text(GNS_ERROR_BAD_HANDLE));
    CHECK_EQUAL(std::string(gns_error_text(-987654)), "");
}
