// How messages arrive (Pace), and how long the pump lets one stay away (Keeper).
#include "check.hpp"
#include "pump/keeper.hpp"
#include "pump/pace.hpp"

using gns_core::Keeper;
using gns_core::Pace;

namespace {

constexpr int64_t start_us = 1'000'000;
constexpr int64_t patience_us = Keeper::patience_us;

// Each tells a keeper whether packets wait; the first one is for a keeper that may not ask.
const auto not_asked = []() -> bool { FAIL("it looked at the sockets"); };
const auto waiting = [] { return true; };
const auto none_waiting = [] { return false; };

} // namespace

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

TEST(keeper, leaves_a_busy_guest_alone) {
    Keeper keeper;
    const Keeper::Plan plan = keeper.plan(start_us + 500, start_us, not_asked);
    CHECK(!plan.takes_over && !plan.watches);
    CHECK_EQUAL(plan.until_us, start_us + patience_us);
}

TEST(keeper, watches_while_all_is_quiet) {
    Keeper keeper;
    const Keeper::Plan plan = keeper.plan(start_us + patience_us, start_us, none_waiting);
    CHECK(!plan.takes_over && plan.watches);
    CHECK_EQUAL(plan.until_us, INT64_MAX);
}

TEST(keeper, takes_over_after_its_patience) {
    Keeper keeper;
    const int64_t arrived_us = start_us + 50'000;
    Keeper::Plan plan = keeper.plan(arrived_us, start_us, waiting);
    CHECK(!plan.takes_over && !plan.watches);
    CHECK_EQUAL(plan.until_us, arrived_us + patience_us);
    plan = keeper.plan(arrived_us + 1, start_us, waiting); // woken in between
    CHECK(!plan.takes_over);
    CHECK_EQUAL(plan.until_us, arrived_us + patience_us);
    CHECK(keeper.plan(arrived_us + patience_us, start_us, waiting).takes_over);
    CHECK(!keeper.plan(arrived_us + patience_us, start_us, waiting).takes_over); // begins again
}

TEST(keeper, a_guest_that_came_back_gets_its_patience_anew) {
    Keeper keeper;
    const int64_t arrived_us = start_us + 50'000;
    keeper.plan(arrived_us, start_us, waiting);
    keeper.plan(arrived_us + 1500, arrived_us + 1000, not_asked);
    CHECK(!keeper.plan(arrived_us + 1000 + patience_us, arrived_us + 1000, waiting).takes_over);
    keeper.plan(arrived_us + 10'000, start_us, none_waiting); // another thread took them
    CHECK(!keeper.plan(arrived_us + 20'000, start_us, waiting).takes_over);
}
