// Messages that a stream keeps (Kept), and the numbers that it gives (FramedSends), without connections.
#include "core.hpp"
#include "framing.hpp"

namespace {

using namespace gns_core;

constexpr int64_t plenty = 1'000'000'000;

// Sends payloads into nowhere.
struct Sends : FramedSends {
    Sends() { allow(1000, {plenty, plenty}); }
    int64_t send(const std::string &text, uint16_t lane = 0) {
        const PayloadPtr payload = make_payload(text.data(), static_cast<uint32_t>(text.size()), max_frame_prefix);
        return frame(payload.get(), true, lane);
    }
    int64_t check_data(uint32_t size = 0) const { return check(size, true, false); }
    void release(const std::vector<int64_t> &numbers) { kept().release(numbers.data(), numbers.size()); }
    // Returns the payloads that are still to be sent again, after their lanes.
    std::string replay(int64_t most = plenty) {
        std::string all;
        for (; most > 0 && kept().left() > 0; --most) {
            const auto [payload, lane] = kept().next();
            all += std::to_string(lane) + std::string(payload->bytes(), payload->content()) + ' ';
            kept().advance(lane);
        }
        return all;
    }
};

} // namespace

TEST(kept, nothing_without_being_asked) {
    Sends sends;
    CHECK_EQUAL(sends.send("x"), 1);
    CHECK_EQUAL(sends.kept().messages(), 0);
    CHECK(!sends.keep({1, 1})); // too late
    Sends others;
    CHECK(others.keep({1, 1}));
    others.send("x");
    CHECK(others.keep({5, 5})); // other bounds
}

TEST(kept, is_bounded_and_released_by_number) {
    Sends sends;
    CHECK(sends.keep({10, 4}));
    for (int64_t number = 1; number <= 3; ++number) CHECK_EQUAL(sends.send("xxx"), number);
    CHECK_EQUAL(sends.check_data(), 0);
    CHECK_EQUAL(sends.send("a long one"), 4); // exceeds the bytes
    CHECK_EQUAL(sends.kept().bytes(), 19);
    CHECK_EQUAL(sends.check_data(), GNS_ERROR_HELD);
    CHECK_EQUAL(sends.check(0, false, false), 0); // UNTRACKED is not kept
    sends.release({-5});
    sends.release({0, 7, 9});
    CHECK_EQUAL(sends.kept().messages(), 4);
    sends.release({3});
    CHECK_EQUAL(sends.kept().bytes(), 10);
    CHECK_EQUAL(sends.check_data(), GNS_ERROR_HELD);
    sends.release({plenty});
    CHECK_EQUAL(sends.kept().bytes() + sends.kept().messages(), 0);
    for (int64_t number = 5; number <= 8; ++number) CHECK_EQUAL(sends.send(""), number);
    CHECK_EQUAL(sends.check_data(), GNS_ERROR_HELD); // four messages
    sends.release({5});
    CHECK_EQUAL(sends.check_data(), 0);
}

TEST(kept, comes_again_in_the_order_of_the_sends) {
    Sends sends;
    CHECK(sends.keep({plenty, plenty}));
    const uint16_t lanes[] = {0, 2, 2, 0, 5, 2, 0};
    for (size_t i = 0; i < 7; ++i) sends.send(std::string(1, static_cast<char>('a' + i)), lanes[i]);
    CHECK_EQUAL(sends.kept().left(), 0); // until it is asked for
    sends.begin_replay();
    CHECK_EQUAL(sends.check_data(), GNS_ERROR_HELD);
    CHECK_EQUAL(sends.kept().lanes_left(), 6u);
    CHECK_EQUAL(sends.replay(), "0a 2b 2c 0d 5e 2f 0g ");
    sends.release({1, 0, 1}); // in the middle of the chains of two lanes
    sends.begin_replay();
    CHECK_EQUAL(sends.kept().left(), 5);
    CHECK_EQUAL(sends.replay(2), "2c 0d ");
    sends.release({2, 0, 3, 0, 0, 1}); // what was replayed, what was not, a whole lane
    CHECK_EQUAL(sends.kept().left(), 1);
    CHECK_EQUAL(sends.kept().lanes_left(), 1u);
    CHECK_EQUAL(sends.replay(), "0g ");
    CHECK_EQUAL(sends.kept().messages(), 1);
    sends.begin_replay(); // from the first one on
    CHECK_EQUAL(sends.replay(), "0g ");
    sends.end_replay();
    CHECK_EQUAL(sends.send("h", 2), 4);
    sends.begin_replay();
    CHECK_EQUAL(sends.replay(), "0g 2h ");
    sends.close();
    CHECK_EQUAL(sends.kept().messages() + sends.kept().left(), 0);
    CHECK_EQUAL(sends.check_data(), GNS_ERROR_HELD);
}
