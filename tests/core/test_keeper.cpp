// How long the pump lets a guest stay away (Keeper).
#include "check.hpp"
#include "pump/keeper.hpp"

using gns_core::Keeper;

namespace {

constexpr int64_t start_us = 1'000'000;
constexpr int64_t patience_us = Keeper::patience_us;

// Each tells a keeper whether packets wait; the first one is for a keeper that may not ask.
const auto not_asked = []() -> bool { FAIL("it looked at the sockets"); };
const auto waiting = [] { return true; };
const auto none_waiting = [] { return false; };

} // namespace

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
