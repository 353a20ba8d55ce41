// A certificate authority for tests: keys, and certificates in GNS's format (docs of gns_core_certificates.h).
#pragma once

#include <cstdint>
#include <string>

class Key {
public:
    explicit Key(char seed_byte); // the private key is this byte, 32 times
    std::string seed, public_key;
    uint64_t id() const;
    std::string sign(const std::string &data) const;
};

struct Content {
    std::string identity;     // "": a root or an intermediate
    int64_t created, expires; // seconds from now
    int64_t app = 0;          // negative: none
    std::string bytes(const Key &key) const;
};

constexpr int64_t hour = 3600;

// The certificate of a key, signed by another one, or by itself.
std::string certificate(const Key &key, const Content &content, const Key &issuer);
inline std::string root(const Key &key) { return certificate(key, {"", -hour, hour, -1}, key); }
inline std::string leaf(const Key &key, const std::string &identity, const Key &issuer) {
    return certificate(key, {identity, -hour, hour}, issuer);
}
// Puts a private key into it, as GNS's own tool does.
std::string with_private_key(const std::string &certificate, const Key &key);
