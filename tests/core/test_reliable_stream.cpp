// The store for what has arrived of a lane's reliable stream, compared with one that has a place for every byte.
#include <optional>
#include <random>
#include <vector>

#include <reliable_stream.hpp>

#include "core.hpp"

using gns_mended::ReliableStream;
using gns_mended::Stored;
using gns_mended::StreamBudget;

namespace {

constexpr int no_limit = 1'000'000;

uint8_t byte_at(int64_t position) { return static_cast<uint8_t>(position * 37 >> 2); }

std::vector<uint8_t> bytes_at(int64_t position, int64_t size) {
    std::vector<uint8_t> bytes(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) bytes[static_cast<size_t>(i)] = byte_at(position + i);
    return bytes;
}

Stored store(ReliableStream &stream, int64_t position, int64_t size, StreamBudget &budget, int extend = no_limit,
             int fragment = no_limit) {
    return stream.store(position, bytes_at(position, size).data(), size, extend, fragment, budget);
}

void check_bytes(const ReliableStream &stream, int64_t offset, int64_t size) {
    std::vector<uint8_t> out(static_cast<size_t>(size) + 1, 0xAA);
    stream.copy(out.data(), offset, size);
    CHECK(out.back() == 0xAA);
    out.pop_back();
    CHECK(out == bytes_at(stream.begin() + offset, size));
}

} // namespace

TEST(reliable_stream, is_what_has_arrived) {
    std::mt19937 random(7);
    const auto any = [&](int64_t below) { return std::uniform_int_distribution<int64_t>(0, below - 1)(random); };
    for (int round = 0; round < 300 / instrumented; ++round) {
        StreamBudget budget;
        {
            ReliableStream stream;
            constexpr int64_t length = 3000;
            std::vector<bool> there(length + 1);
            const int64_t longest = 1 + any(400);
            for (int step = 0; step < 400; ++step) {
                const int64_t position = 1 + any(length - longest), size = 1 + any(longest);
                CHECK(store(stream, position, size, budget) == Stored::yes);
                for (int64_t i = position; i < position + size; ++i) there[static_cast<size_t>(i)] = true;
                int64_t ready = 0, end = stream.begin();
                while (stream.begin() + ready <= length && there[static_cast<size_t>(stream.begin() + ready)]) ++ready;
                for (int64_t i = stream.begin(); i <= length; ++i)
                    if (there[static_cast<size_t>(i)]) end = i + 1;
                CHECK_EQUAL(stream.ready(), ready);
                CHECK_EQUAL(stream.end(), end);
                if (ready == 0) continue;
                const int64_t offset = any(ready);
                check_bytes(stream, offset, 1 + any(ready - offset));
                if (any(3) == 0) stream.consume(any(ready) + 1);
                if (any(20) == 0) {
                    ReliableStream moved(std::move(stream));
                    stream.~ReliableStream();
                    new (&stream) ReliableStream(std::move(moved));
                }
            }
        }
        CHECK_EQUAL(budget.used, 0);
    }
}

TEST(reliable_stream, costs_what_arrived) {
    StreamBudget budget;
    ReliableStream stream;
    CHECK(store(stream, 200'000'000, 1, budget) == Stored::yes);
    CHECK(budget.used < 1000);
    int64_t position = 1;
    for (; position < 100'000; position += 1000) CHECK(store(stream, position, 1000, budget) == Stored::yes);
    CHECK(budget.used < 110'000);
    for (; position < 101'000; ++position) CHECK(store(stream, position, 1, budget) == Stored::yes); // they share
    CHECK(budget.used < 115'000);
    stream.consume(stream.ready());
    CHECK(budget.used < 1000);
}

TEST(reliable_stream, has_so_many_gaps) {
    StreamBudget budget;
    ReliableStream stream;
    for (int i = 1; i <= 30; ++i) CHECK(store(stream, 1000 * i, 10, budget, 30, 20) == Stored::yes);
    CHECK(store(stream, 31'000, 10, budget, 30, 20) == Stored::too_fragmented);
    CHECK(store(stream, 1500, 10, budget, 30, 20) == Stored::too_fragmented);
    CHECK(store(stream, 1010, 10, budget, 30, 20) == Stored::yes); // right after another
    CHECK(store(stream, 990, 10, budget, 30, 20) == Stored::yes);  // right before
    CHECK(store(stream, 1, 10, budget, 30, 20) == Stored::yes);    // the next
    CHECK(store(stream, 1, 20'000, budget, 30, 20) == Stored::yes);
    CHECK_EQUAL(stream.ready(), 20'009);
    CHECK(store(stream, 31'000, 10, budget, 30, 20) == Stored::yes);
}

TEST(reliable_stream, has_bounds) {
    StreamBudget budget;
    std::vector<ReliableStream> lanes(3);
    int64_t position = 2;
    while (store(lanes[0], position, 1000, budget) == Stored::yes) position += 1000;
    CHECK(store(lanes[0], position, 1000, budget) == Stored::too_far_ahead);
    CHECK(store(lanes[1], 2, 1000, budget) == Stored::too_far_ahead); // all share it
    CHECK(budget.used <= StreamBudget::ahead && budget.used > StreamBudget::ahead - 2000);
    CHECK(store(lanes[1], 1, 1000, budget) == Stored::yes); // the next bytes are always taken
    CHECK(store(lanes[0], 1, 1, budget) == Stored::yes);
    CHECK_EQUAL(lanes[0].ready(), position - 1);
    int64_t next = 1;
    Stored stored = Stored::yes;
    for (; (stored = store(lanes[2], next, 1000, budget)) == Stored::yes;) next += 1000;
    CHECK(stored == Stored::too_much);
    CHECK(budget.used <= StreamBudget::all);
    lanes[0].consume(lanes[0].ready());
    CHECK(store(lanes[2], next, 1000, budget) == Stored::yes);
}
