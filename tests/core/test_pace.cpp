// How messages arrive (Pace).
#include "check.hpp"
#include "pump/pace.hpp"

using gns_core::Pace;

namespace {

constexpr int64_t start_us = 1'000'000;

}

TEST(pace, is_not_high_while_each_message_is_answered) {
    Pace pace;
    for (int i = 0; i < 1000; ++i) {
        pace.note_turn(1, start_us + i);
        pace.note_send();
    }
    CHECK(!pace.is_high(start_us + 1000));
    CHECK(!pace.is_one_sided(start_us + 1000));
}

TEST(pace, is_not_high_while_unanswered_messages_are_rare) {
    Pace pace;
    for (int i = 0; i < 1000; ++i) {
        pace.note_turn(1, start_us + i * 10'000);
        CHECK(!pace.is_high(start_us + i * 10'000));
    }
}

TEST(pace, is_high_for_a_while_when_many_are_answered_at_a_time) {
    Pace pace;
    int64_t now_us = start_us;
    int turns = 0;
    for (; !pace.is_high(now_us); ++turns) {
        pace.note_turn(8, ++now_us);
        pace.note_send();
    }
    CHECK(turns > 1); // not for one batch
    CHECK(turns < 10);
    CHECK(!pace.is_one_sided(now_us));
    CHECK(!pace.is_high(now_us + 60'000));
}

TEST(pace, is_one_sided_for_a_while_when_many_are_not_answered) {
    Pace pace;
    int64_t now_us = start_us;
    for (int i = 0; i < 15; ++i) pace.note_turn(1, ++now_us);
    CHECK(!pace.is_high(now_us));
    pace.note_turn(1, ++now_us);
    CHECK(pace.is_high(now_us));
    CHECK(pace.is_one_sided(now_us));
    CHECK(!pace.is_one_sided(now_us + 60'000));
}

TEST(pace, does_not_count_turns_without_messages) {
    Pace pace;
    for (int i = 0; i < 1000; ++i) pace.note_turn(0, start_us);
    CHECK(!pace.is_high(start_us));
}
