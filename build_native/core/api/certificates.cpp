// Exported: certificates, and what peers must prove.
#include <algorithm>
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
    gns_authentication wanted{};
    wanted.trust = certificates;
    wanted.trust_sizes = sizes;
    wanted.trust_count = std::max(0, count);
    wanted.certificate_size = -1;
    return count < 0 ? fail(GNS_ERROR_BAD_VALUE) : gns_authentication_set(&wanted);
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
    gns_authentication wanted{};
    wanted.trust_count = -1;
    wanted.certificate = certificate;
    wanted.certificate_size = std::max(0, size);
    wanted.key = key;
    wanted.key_size = key_size;
    return size < 0 ? fail(GNS_ERROR_BAD_VALUE) : gns_authentication_set(&wanted);
}

int32_t gns_authentication_set(const gns_authentication *wanted) {
    return guarded([&]() -> int32_t {
        const int32_t count = wanted->trust_count, size = wanted->certificate_size;
        if (count < -1 || count > most_trusted || size < -1 || wanted->key_size < 0) return fail(GNS_ERROR_BAD_VALUE);
        std::vector<std::string> trust;
        for (int32_t i = 0; i < count; ++i) {
            if (wanted->trust_sizes[i] < 0) return fail(GNS_ERROR_BAD_VALUE);
            trust.push_back(bytes(wanted->trust[i], wanted->trust_sizes[i]));
        }
        const std::string certificate = size > 0 ? bytes(wanted->certificate, size) : "";
        const std::string private_key = wanted->key ? bytes(wanted->key, wanted->key_size) : "";
        std::shared_ptr<const PeerPolicy> policy;
        if (const int32_t error = read_policy(wanted->policy, &policy)) return error;
        std::string identity;
        const int32_t result = on_pump([&]() -> int32_t {
            const std::vector<std::string> before = trusted();
            if (count >= 0)
                if (const int32_t error = set_trusted(trust)) return error;
            if (size >= 0) {
                if (const int32_t error = set_certificate(certificate, private_key)) {
                    if (count >= 0) set_trusted(before);
                    return error;
                }
                gns_certificate info;
                certificate_info(&info);
                identity = info.identity;
            }
            if (policy) runtime().service.peers.demand(policy);
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
