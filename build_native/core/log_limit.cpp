#include "log_limit.hpp"

#include <algorithm>
#include <cstring>

namespace gns_core {

namespace {

constexpr int64_t window_us = 3'000'000; // the window of GNS's own limit
constexpr int32_t most_of_a_kind = 10;
constexpr size_t most_kinds = 64; // in one window; the rest count as one kind

// Lines are of one kind if they differ only in words with digits and in the connection:
// "[#123 UDP 10.0.0.1:27015] ...".
uint64_t hash_of_kind(const std::string &text) {
    const char *word = text.c_str();
    if (std::strncmp(word, "[#", 2) == 0)
        if (const char *const end = std::strstr(word, "] ")) word = end + 2;
    uint64_t hash = 14695981039346656037u; // FNV-1a
    while (*word) {
        const size_t size = std::strcspn(word, " ") + 1;
        const char *const end = word + std::min(size, std::strlen(word));
        if (std::none_of(word, end, [](char c) { return c >= '0' && c <= '9'; }))
            for (; word != end; ++word) hash = (hash ^ static_cast<unsigned char>(*word)) * 1099511628211u;
        word = end;
    }
    return hash;
}

} // namespace

bool LogLimit::admit(const LogLine &line) {
    const uint64_t hash = hash_of_kind(line.text);
    auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind &each) { return each.hash == hash; });
    if (kind == kinds_.end()) {
        if (kinds_.size() < most_kinds)
            kind = kinds_.insert(kinds_.end(), {hash, line.time_us + window_us, 0, {}});
        else
            kind = kinds_.end() - 1;
    }
    if (++kind->count <= most_of_a_kind) return true;
    kind->left_out = line;
    due_ = std::min(due_, kind->end_us);
    return false;
}

void LogLimit::report(int64_t now_us, std::deque<LogLine> *lines) {
    due_ = std::numeric_limits<int64_t>::max();
    kinds_.erase(std::remove_if(kinds_.begin(), kinds_.end(),
                                [&](const Kind &kind) {
                                    const int32_t left_out = kind.count - most_of_a_kind;
                                    if (kind.end_us > now_us) {
                                        if (left_out > 0) due_ = std::min(due_, kind.end_us);
                                        return false;
                                    }
                                    if (left_out > 0)
                                        lines->push_back({kind.left_out.time_us, kind.left_out.level,
                                                          std::to_string(left_out) +
                                                              " more like this within 3 s: " + kind.left_out.text});
                                    return true;
                                }),
                 kinds_.end());
}

} // namespace gns_core
