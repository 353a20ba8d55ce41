// The mailboxes that have received events and must be signalled: once each turn, when all its events are in them.
#pragma once

#include <memory>
#include <vector>

#include "mailbox.hpp"

namespace gns_core {

class Signals {
public:
    Signals() { mailboxes_.reserve(at_once); }

    // Signals a mailbox later; nullptr: none.
    void add(std::shared_ptr<Mailbox> mailbox) noexcept {
        if (!mailbox) return;
        if (mailboxes_.size() == mailboxes_.capacity()) send(); // never grows: this must not need memory
        mailboxes_.push_back(std::move(mailbox));
    }
    bool pending() const { return !mailboxes_.empty(); }
    void send() noexcept {
        for (const auto &mailbox : mailboxes_) mailbox->signal();
        mailboxes_.clear();
    }

private:
    static constexpr size_t at_once = 1024;
    std::vector<std::shared_ptr<Mailbox>> mailboxes_;
};

} // namespace gns_core
