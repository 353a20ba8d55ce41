// A thread that sleeps, and threads that wake it (Sleeper).
#include <atomic>
#include <thread>

#include "core.hpp"
#include "sleeper.hpp"

using gns_core::Sleeper;

TEST(sleeper, a_wake_before_the_sleep_is_kept) {
    Sleeper sleeper;
    sleeper.open();
    sleeper.wake();
    CHECK(!sleeper.announce(Sleeper::forever));
    CHECK(sleeper.announce(Sleeper::forever)); // once
    CHECK(!sleeper.stay_awake());
}

#if defined(__linux__)

TEST(sleeper, a_wake_after_the_announcement_ends_the_sleep) {
    Sleeper sleeper;
    sleeper.open();
    CHECK(sleeper.announce(Sleeper::forever));
    sleeper.wake();
    CHECK(sleeper.sleep(-1).woken);
}

TEST(sleeper, sleeps_until_its_time_and_not_beyond_an_earlier_one) {
    Sleeper sleeper;
    sleeper.open();
    const int64_t until_us = gns_time_us() + 30'000;
    CHECK(sleeper.announce(until_us));
    CHECK(!sleeper.sleep(-1).woken);
    CHECK(gns_time_us() >= until_us);
    const int64_t later_us = gns_time_us() + 1'000'000'000;
    CHECK(sleeper.announce(later_us));
    sleeper.wake_before(later_us); // no earlier than planned
    sleeper.wake_before(gns_time_us());
    CHECK(!sleeper.sleep(-1).woken); // nothing was asked of it but to look again
    CHECK(sleeper.announce(gns_time_us()));
    sleeper.sleep(-1); // whatever is left of it ends a sleep at most once
    CHECK(sleeper.announce(gns_time_us() + 30'000));
    CHECK(!sleeper.sleep(-1).woken);
}

TEST(sleeper, loses_no_wake_up) {
    constexpr int count = 20'000 / instrumented;
    Sleeper sleeper;
    sleeper.open();
    std::atomic<int> asked{0};
    int done = 0;
    std::thread waker([&] {
        for (int i = 0; i < count; ++i) {
            asked.fetch_add(1);
            sleeper.wake();
            if (i % 3 == 0) std::this_thread::yield();
        }
    });
    while (done < count) {
        if (sleeper.announce(Sleeper::forever) && asked.load() == done)
            sleeper.sleep(-1); // forever, if one is lost
        else
            sleeper.stay_awake();
        done = asked.load();
    }
    waker.join();
}

#endif
