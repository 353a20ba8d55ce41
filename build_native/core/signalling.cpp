#include "signalling.hpp"

#include <utility>

namespace gns_core {

LeavingSignal::LeavingSignal(std::shared_ptr<Signalling> from, const std::string &receiver, const void *data,
                             uint32_t size)
    : signalling(std::move(from)) {
    payload.reserve(1 + receiver.size() + size);
    payload.push_back(static_cast<char>(receiver.size())); // an identity has less than 128 bytes
    payload.append(receiver).append(static_cast<const char *>(data), size);
    signalling->leaving.fetch_add(1);
    signalling->leaving_bytes.fetch_add(static_cast<int64_t>(payload.size()));
}

LeavingSignal::~LeavingSignal() {
    signalling->leaving.fetch_sub(1);
    signalling->leaving_bytes.fetch_sub(static_cast<int64_t>(payload.size()));
}

} // namespace gns_core
