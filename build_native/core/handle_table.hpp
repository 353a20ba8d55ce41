// Handles with generations: GNS itself looks only at the low 16 bits of its handles, so
// a stale one could name another object.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace gns_core {

template <class T> class HandleTable {
public:
    // kind keeps the handles of different tables apart.
    explicit HandleTable(uint64_t kind) : kind_(kind) {}

    // The object gets its handle before it can be found.
    uint64_t insert(std::shared_ptr<T> object) {
        std::lock_guard lock(mutex_);
        if (free_.empty()) {
            slots_.emplace_back();
            if (free_.capacity() < slots_.size()) free_.reserve(slots_.capacity()); // remove() needs no memory
            free_.push_back(static_cast<uint32_t>(slots_.size() - 1));
        }
        const uint32_t index = free_.back();
        free_.pop_back();
        Slot &slot = slots_[index];
        const uint64_t handle = kind_ << 60 | static_cast<uint64_t>(++slot.generation) << 24 | index;
        object->handle = handle;
        slot.object = std::move(object);
        return handle;
    }

    std::shared_ptr<T> find(uint64_t handle) const {
        std::lock_guard lock(mutex_);
        const size_t index = handle & 0xFFFFFF;
        if (index >= slots_.size() || !slots_[index].object || slots_[index].object->handle != handle) return nullptr;
        return slots_[index].object;
    }

    // Returns the object if this call is the one that removed it.
    std::shared_ptr<T> remove(uint64_t handle) {
        std::lock_guard lock(mutex_);
        const size_t index = handle & 0xFFFFFF;
        if (index >= slots_.size() || !slots_[index].object || slots_[index].object->handle != handle) return nullptr;
        free_.push_back(static_cast<uint32_t>(index));
        return std::exchange(slots_[index].object, nullptr);
    }

    std::vector<std::shared_ptr<T>> all() const {
        std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<T>> found;
        for (const Slot &slot : slots_)
            if (slot.object) found.push_back(slot.object);
        return found;
    }

private:
    struct Slot {
        std::shared_ptr<T> object;
        uint32_t generation = 0;
    };
    const uint64_t kind_;
    mutable std::mutex mutex_;
    std::vector<Slot> slots_;
    std::vector<uint32_t> free_;
};

} // namespace gns_core
