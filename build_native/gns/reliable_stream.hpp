// The part of a lane's reliable stream that has arrived and is not consumed yet: the bytes themselves, and nothing for
// the gaps between them. GNS is compiled without exceptions, so a failed allocation is a result.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace gns_mended {

// The bytes that all lanes of one connection may hold together, including the bookkeeping.
//
// An honest peer may have megabytes in flight, all of which must wait behind one lost packet: 6 MB at 30
// MB/s and 200 ms; about 18 MB with gns_py's default bound of unacknowledged segments. Beyond `ahead` such
// data is dropped as if the network had lost it. The sender sends it again after the missing bytes, so an
// honest one loses speed and nothing else.
//
// The next bytes of a lane are taken even beyond `ahead`, or the gap could never be filled. They belong to
// an unfinished message of at most 512 KiB. A peer reaches `all` only if it begins such messages on more
// than 64 lanes at once and finishes none. Dropping would not help then: every lane waits for what would be
// dropped. So that connection is ended.
//
// N connections hold at most N * 64 MiB here, and only after they have sent about as much: a segment costs what it
// carries, at least 256 bytes, and some 70 bytes more.
struct StreamBudget {
    static constexpr int64_t ahead = int64_t{32} << 20;
    static constexpr int64_t all = int64_t{64} << 20;
    int64_t used = 0;
};

enum class Stored { yes, too_fragmented, too_far_ahead, too_much, no_memory };

class ReliableStream {
public:
    ReliableStream() = default;
    ReliableStream(ReliableStream &&other) noexcept
        : begin_(other.begin_),
          first_(std::exchange(other.first_, nullptr)),
          last_(std::exchange(other.last_, nullptr)),
          runs_(std::exchange(other.runs_, 0)),
          budget_(other.budget_) {}
    ReliableStream &operator=(ReliableStream &&) = delete;
    ~ReliableStream() {
        while (first_) drop_run(first_);
    }

    bool empty() const { return !first_; }
    int64_t begin() const { return begin_; }                    // the next byte to consume; a stream begins at 1
    int64_t end() const { return last_ ? last_->end : begin_; } // after the last byte that has arrived
    // How many bytes can be consumed.
    int64_t ready() const { return first_ && first_->begin == begin_ ? first_->end - begin_ : 0; }

    // Keeps what is new among these bytes. A part may be kept even if the answer is not `yes`.
    // extend: with this many gaps none is added at the end. fragment: with this many none is cut in two.
    Stored store(int64_t position, const uint8_t *data, int64_t size, int extend, int fragment, StreamBudget &budget) {
        budget_ = &budget;
        const int64_t stop = position + size;
        int64_t at = std::max(position, begin_);
        while (at < stop) {
            Run *next = first_;
            while (next && next->end <= at) next = next->next; // at most `extend` steps
            if (next && next->begin <= at) {
                at = next->end;
                continue;
            }
            const int64_t until = next ? std::min(stop, next->begin) : stop;
            const Stored stored = fill(at, data + (at - position), until - at, next, extend, fragment);
            if (stored != Stored::yes) return stored;
            at = until;
        }
        return Stored::yes;
    }

    // Copies the first bytes, at most what is ready; returns how many.
    int64_t peek(uint8_t *out, int64_t size) const {
        const int64_t count = std::min(size, ready());
        if (count > 0) copy(out, 0, count);
        return count;
    }

    // Copies `size` bytes from `offset` on, all of which are ready.
    void copy(void *out, int64_t offset, int64_t size) const {
        auto *target = static_cast<uint8_t *>(out);
        for (const Chunk *chunk = first_->first; size > 0; chunk = chunk->next) {
            const int64_t there = chunk->used - chunk->taken;
            if (offset >= there) {
                offset -= there;
                continue;
            }
            const int64_t count = std::min(size, there - offset);
            std::memcpy(target, chunk->bytes() + chunk->taken + offset, static_cast<size_t>(count));
            target += count;
            size -= count;
            offset = 0;
        }
    }

    // Consumes this many ready bytes and frees their memory.
    void consume(int64_t size) {
        begin_ += size;
        if (size == 0) return;
        Run *const run = first_;
        run->begin += size;
        if (run->begin == run->end) return drop_run(run);
        while (size > 0) {
            Chunk *const chunk = run->first;
            const int64_t there = chunk->used - chunk->taken;
            if (size < there) {
                chunk->taken += static_cast<uint32_t>(size);
                return;
            }
            size -= there;
            run->first = chunk->next;
            free_chunk(chunk);
        }
    }

    // Passes over bytes that arrived and were used at once; nothing is stored.
    void pass(int64_t size) { begin_ += size; }

private:
    struct Chunk {
        Chunk *next;
        uint32_t capacity, used, taken; // taken: consumed, from the front
        uint8_t *bytes() { return reinterpret_cast<uint8_t *>(this + 1); }
        const uint8_t *bytes() const { return reinterpret_cast<const uint8_t *>(this + 1); }
        int64_t cost() const { return static_cast<int64_t>(sizeof(Chunk)) + capacity; }
    };
    struct Run { // bytes without a gap; between two runs there is a gap
        Run *previous, *next;
        Chunk *first, *last;
        int64_t begin, end;
    };
    static constexpr uint32_t smallest_chunk = 256; // so that tiny segments share one

    int gaps() const { return runs_ - (first_ && first_->begin == begin_ ? 1 : 0); }

    Stored fill(int64_t at, const uint8_t *data, int64_t size, Run *next, int extend, int fragment) {
        Run *const previous = next ? next->previous : last_;
        const bool follows = previous && previous->end == at;
        const bool precedes = next && next->begin == at + size;
        const bool due = at == begin_ + ready();
        if (!follows && !precedes && at != begin_ && gaps() >= (next ? fragment : extend))
            return Stored::too_fragmented;

        int64_t room = follows ? std::min<int64_t>(size, previous->last->capacity - previous->last->used) : 0;
        Chunk *chunk = nullptr;
        Run *run = nullptr;
        if (size > room) {
            const auto rest = static_cast<uint32_t>(size - room);
            const uint32_t capacity = std::max(rest, smallest_chunk);
            const bool new_run = !follows && !precedes;
            const int64_t cost =
                static_cast<int64_t>(sizeof(Chunk)) + capacity + (new_run ? static_cast<int64_t>(sizeof(Run)) : 0);
            if (!due && budget_->used + cost > StreamBudget::ahead) return Stored::too_far_ahead;
            if (budget_->used + cost > StreamBudget::all) return Stored::too_much;
            void *const memory = std::malloc(sizeof(Chunk) + capacity);
            if (!memory) return Stored::no_memory;
            chunk = new (memory) Chunk{nullptr, capacity, rest, 0};
            if (new_run) {
                void *const run_memory = std::malloc(sizeof(Run));
                if (!run_memory) {
                    std::free(memory);
                    return Stored::no_memory;
                }
                run = new (run_memory) Run{previous, next, chunk, chunk, at, at + size};
            }
            budget_->used += cost;
            std::memcpy(chunk->bytes(), data + room, rest);
        }
        if (room > 0) {
            Chunk *const last = previous->last;
            std::memcpy(last->bytes() + last->used, data, static_cast<size_t>(room));
            last->used += static_cast<uint32_t>(room);
        }
        if (follows) {
            if (chunk) {
                previous->last->next = chunk;
                previous->last = chunk;
            }
            previous->end = at + size;
            if (precedes) join(previous, next);
        } else if (precedes) {
            chunk->next = next->first;
            next->first = chunk;
            next->begin = at;
        } else {
            (previous ? previous->next : first_) = run;
            (next ? next->previous : last_) = run;
            ++runs_;
        }
        return Stored::yes;
    }

    void join(Run *run, Run *next) {
        run->last->next = next->first;
        run->last = next->last;
        run->end = next->end;
        next->first = nullptr;
        drop_run(next);
    }

    void drop_run(Run *run) {
        for (Chunk *chunk = run->first; chunk;) free_chunk(std::exchange(chunk, chunk->next));
        (run->previous ? run->previous->next : first_) = run->next;
        (run->next ? run->next->previous : last_) = run->previous;
        --runs_;
        budget_->used -= static_cast<int64_t>(sizeof(Run));
        std::free(run);
    }

    void free_chunk(Chunk *chunk) {
        budget_->used -= chunk->cost();
        std::free(chunk);
    }

    int64_t begin_ = 1;
    Run *first_ = nullptr;
    Run *last_ = nullptr;
    int runs_ = 0;
    StreamBudget *budget_ = nullptr; // the connection's; set with the first bytes
};

} // namespace gns_mended
