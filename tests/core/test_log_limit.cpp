// Similar log lines, counted by the class itself: no network can be made to cause this many kinds of them.
#include "check.hpp"
#include "log_limit.hpp"

using namespace gns_core;

namespace {

constexpr int64_t window = 3'000'000;

int32_t admitted(LogLimit &limit, const std::string &text, int32_t count, int64_t now = 0) {
    int32_t result = 0;
    for (int32_t i = 0; i < count; ++i) result += limit.admit({now, 4, text}) ? 1 : 0;
    return result;
}

std::vector<std::string> told(LogLimit &limit, int64_t now) {
    std::deque<LogLine> lines;
    limit.report(now, &lines);
    std::vector<std::string> texts;
    for (const LogLine &line : lines) texts.push_back(line.text);
    return texts;
}

} // namespace

TEST(log_limit, ten_of_a_kind_and_a_count) {
    LogLimit limit;
    CHECK_EQUAL(admitted(limit, "too big", 10), 10);
    CHECK(limit.due() > window);
    CHECK_EQUAL(admitted(limit, "too big", 5), 0);
    CHECK_EQUAL(limit.due(), window);
    CHECK(told(limit, window - 1).empty());
    const std::vector<std::string> texts = told(limit, window);
    CHECK_EQUAL(texts.size(), size_t{1});
    CHECK_EQUAL(texts[0], "5 more like this within 3 s: too big");
    CHECK(limit.due() > window);
    CHECK_EQUAL(admitted(limit, "too big", 15, window), 10);
}

TEST(log_limit, few_are_not_told_of) {
    LogLimit limit;
    CHECK_EQUAL(admitted(limit, "too big", 10), 10);
    CHECK(told(limit, window).empty());
    CHECK_EQUAL(admitted(limit, "too big", 10, window), 10);
}

TEST(log_limit, numbers_and_connections_make_no_kind) {
    LogLimit limit;
    int32_t kept = 0;
    for (int i = 0; i < 100; ++i) {
        const std::string number = std::to_string(i);
        kept += admitted(
            limit, "[#" + number + " UDP str:peer" + number + "@10.0.0.1:27015] Message size " + number + " is too big",
            1);
    }
    CHECK_EQUAL(kept, 10);
    CHECK_EQUAL(admitted(limit, "[#1 UDP 10.0.0.1:27015] Message size 7 is too small", 20), 10);
}

TEST(log_limit, odd_lines) {
    LogLimit limit;
    for (const char *text :
         {"", " ", "  ", "[#", "[# ", "[#1 no end", "[#1 UDP]", "[#1 UDP] ", "1", "1 2 3", "\xff\xfe", "x "})
        admitted(limit, text, 11);
    CHECK(told(limit, window).size() > 3);
}

TEST(log_limit, kinds_beyond_its_memory_are_one) {
    LogLimit limit;
    int32_t kept = 0;
    for (int kind = 0; kind < 10'000; ++kind) {
        std::string text = "kind ";
        for (int digit = kind; digit > 0; digit /= 10) text += static_cast<char>('a' + digit % 10);
        kept += admitted(limit, text, 2);
    }
    CHECK(kept >= 64 * 2 && kept <= 64 * 2 + 10);
    const std::vector<std::string> texts = told(limit, window);
    CHECK_EQUAL(texts.size(), size_t{1});
    CHECK_EQUAL(admitted(limit, "kind a", 1, window), 1);
}
