// Exported: certificates, and what peers must prove.
#include <cstring>

#include "api/calls.hpp"
#include "gns/certificates.hpp"

namespace {

using namespace gns_core;

constexpr int32_t most_trusted = 4096;

std::string bytes(const void *data, int32_t size) {
    return {static_cast<const char *>(data), static_cast<size_t>(size)};
}

} // namespace

int32_t gns_trust_set(const void *const *certificates, const int32_t *sizes, int32_t count) {
    return guarded([&]() -> int32_t {
        if (count < 0 || count > most_trusted) return fail(GNS_ERROR_BAD_VALUE);
        std::vector<std::string> wanted;
        for (int32_t i = 0; i < count; ++i) {
            if (sizes[i] < 0) return fail(GNS_ERROR_BAD_VALUE);
            wanted.push_back(bytes(certificates[i], sizes[i]));
        }
        return on_pump([&] { return set_trusted(wanted); });
    });
}

int32_t gns_revoke_set(const uint64_t *key_ids, int32_t count) {
    return guarded([&]() -> int32_t {
        if (count < 0) return fail(GNS_ERROR_BAD_VALUE);
        const std::vector<uint64_t> wanted(key_ids, key_ids + count);
        return on_pump([&]() -> int32_t {
            if (const int32_t error = set_revoked(wanted)) return error;
            runtime().service.peers.revoke(wanted);
            return 0;
        });
    });
}

int32_t gns_certificate_request(void *request, int32_t capacity) {
    return guarded([&] {
        return on_pump([&]() -> int32_t {
            std::string made;
            if (const int32_t error = make_request(&made)) return error;
            const int32_t size = static_cast<int32_t>(made.size());
            if (size > capacity) return fail(GNS_ERROR_BUFFER_TOO_SMALL);
            std::memcpy(request, made.data(), made.size());
            return size;
        });
    });
}

int32_t gns_certificate_set(const void *certificate, int32_t size, const void *key, int32_t key_size) {
    return guarded([&]() -> int32_t {
        if (size < 0 || key_size < 0) return fail(GNS_ERROR_BAD_VALUE);
        const std::string wanted = bytes(certificate, size);
        const std::string private_key = key ? bytes(key, key_size) : std::string();
        std::string identity;
        const int32_t result = on_pump([&]() -> int32_t {
            if (const int32_t error = set_certificate(wanted, private_key)) return error;
            gns_certificate info;
            certificate_info(&info);
            identity = info.identity;
            return 0;
        });
        if (result < 0) return result;
        std::lock_guard lock(runtime().life_cycle);
        if (runtime().identity.empty() && gns_life().running.load()) runtime().identity = identity;
        return 0;
    });
}

int32_t gns_certificate_info(gns_certificate *certificate) {
    return guarded([&] { return on_pump([&] { return certificate_info(certificate); }); });
}

int32_t gns_peer_policy_set(int32_t scope, uint64_t object, const gns_peer_policy *policy) {
    return guarded([&]() -> int32_t {
        if (scope != GNS_SCOPE_GLOBAL && scope != GNS_SCOPE_LISTEN_SOCKET) return fail(GNS_ERROR_WRONG_SCOPE);
        std::shared_ptr<const PeerPolicy> wanted;
        if (const int32_t error = read_policy(policy, &wanted)) return error;
        if (scope == GNS_SCOPE_GLOBAL)
            return on_pump([&]() -> int32_t {
                runtime().service.peers.demand(wanted);
                return 0;
            });
        const auto found = runtime().listen_sockets.find(object);
        if (!found) return not_found();
        return on_pump([&]() -> int32_t {
            found->policy = wanted;
            return 0;
        });
    });
}
