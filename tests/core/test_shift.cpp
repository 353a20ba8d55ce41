// Which thread is in charge (Shift).
#include "check.hpp"
#include "pump/shift.hpp"
#include "sleeper.hpp"

using gns_core::Shift;
using gns_core::Sleeper;

TEST(shift, a_guest_is_in_charge_only_alone) {
    Sleeper pump, leader;
    pump.open();
    leader.open();
    Shift shift(pump, leader);
    CHECK(!shift.begin_as_thread()); // it does not wait yet
    shift.add_thread();
    CHECK(!shift.begin_as_loop());
    CHECK(shift.begin_as_thread());
    CHECK(shift.guest_in_charge());
    CHECK(!pump.stay_awake()); // which need not know

    shift.add_thread();
    CHECK(!shift.guest_in_charge());
    CHECK(pump.stay_awake());
    CHECK(leader.stay_awake());
    CHECK(!shift.begin_as_thread());
    shift.remove_thread();
    CHECK(shift.begin_as_thread());

    shift.take_over();
    CHECK(!shift.guest_in_charge());
    CHECK(shift.begin_as_thread());

    shift.add_loop();
    CHECK(!shift.guest_in_charge());
    CHECK(leader.stay_awake());
    shift.remove_thread();
    CHECK(shift.begin_as_loop());
    shift.add_loop();
    CHECK(!shift.begin_as_loop());
    shift.remove_loop();
    CHECK(shift.begin_as_loop());
    shift.remove_loop();
    CHECK(!shift.guest_in_charge());
}
