#include "kept.hpp"

namespace gns_core {

Released::~Released() {
    while (first_) {
        const PayloadPtr payload(std::exchange(first_, first_->next));
    }
}

void Kept::prepare(uint16_t lane) {
    if (lane >= lanes_.size()) lanes_.resize(size_t{lane} + 1);
}

void Kept::push(uint16_t lane, int64_t number, PayloadPtr payload) noexcept {
    Payload *const added = payload.release();
    added->order = ++order_;
    bytes_ += added->content();
    ++messages_;
    Lane &here = lanes_[lane];
    if (here.first) {
        here.last->next = added;
    } else {
        here.first = added;
        here.number = number;
    }
    here.last = added;
}

void Kept::release_first(Lane &lane, Released &released) noexcept {
    Payload *const first = lane.first;
    bytes_ -= first->content();
    --messages_;
    lane.first = first->next;
    ++lane.number;
    if (lane.again == first) {
        lane.again = lane.first;
        --left_;
    }
    released.add(first);
}

Released Kept::release(const int64_t *numbers, size_t lanes) noexcept {
    Released released;
    for (size_t i = 0; i < lanes && i < lanes_.size(); ++i)
        while (lanes_[i].first && lanes_[i].number <= numbers[i]) release_first(lanes_[i], released);
    return released;
}

Released Kept::release_all() noexcept {
    Released released;
    for (Lane &lane : lanes_)
        while (lane.first) release_first(lane, released);
    return released;
}

void Kept::rewind() noexcept {
    for (Lane &lane : lanes_) lane.again = lane.first;
    left_ = messages_;
}

size_t Kept::lanes_left() const noexcept {
    size_t lanes = lanes_.size();
    while (lanes > 0 && !lanes_[lanes - 1].again) --lanes;
    return lanes;
}

std::pair<Payload *, uint16_t> Kept::next() const noexcept {
    std::pair<Payload *, uint16_t> next{nullptr, 0};
    for (size_t i = 0; i < lanes_.size(); ++i) {
        Payload *const again = lanes_[i].again;
        if (again && (!next.first || again->order < next.first->order)) next = {again, static_cast<uint16_t>(i)};
    }
    return next;
}

void Kept::advance(uint16_t lane) noexcept {
    lanes_[lane].again = lanes_[lane].again->next;
    --left_;
}

} // namespace gns_core
