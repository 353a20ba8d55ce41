#include "authority.hpp"

#include <ctime>
#include <memory>
#include <stdexcept>

#include <openssl/evp.h>

namespace {

using Private = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char *unsigned_of(const std::string &text) {
    return reinterpret_cast<const unsigned char *>(text.data());
}

unsigned char *unsigned_of(std::string &text) { return reinterpret_cast<unsigned char *>(text.data()); }

Private load(const std::string &seed) {
    return {EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, unsigned_of(seed), seed.size()), EVP_PKEY_free};
}

void need(bool done) {
    if (!done) throw std::runtime_error("OpenSSL failed");
}

std::string little(uint64_t number, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
    return text;
}

std::string varint(uint64_t number) {
    std::string text;
    for (; number >= 0x80; number >>= 7) text += static_cast<char>(number | 0x80);
    return text + static_cast<char>(number);
}

std::string field(uint64_t number, const std::string &value) {
    return varint(number << 3 | 2) + varint(value.size()) + value;
}
std::string field(uint64_t number, uint64_t value) { return varint(number << 3) + varint(value); }
std::string fixed32(uint64_t number, uint64_t value) { return varint(number << 3 | 5) + little(value, 4); }
std::string fixed64(uint64_t number, uint64_t value) { return varint(number << 3 | 1) + little(value, 8); }

} // namespace

Key::Key(char seed_byte) : seed(32, seed_byte), public_key(32, '\0') {
    const Private key = load(seed);
    size_t size = public_key.size();
    need(key && EVP_PKEY_get_raw_public_key(key.get(), unsigned_of(public_key), &size) == 1);
}

uint64_t Key::id() const {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    need(EVP_Digest(public_key.data(), public_key.size(), hash, &size, EVP_sha256(), nullptr) == 1);
    uint64_t id = 0;
    for (int i = 7; i >= 0; --i) id = id << 8 | hash[i];
    return id;
}

std::string Key::sign(const std::string &data) const {
    const Private key = load(seed);
    const Digest context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    std::string signature(64, '\0');
    size_t size = signature.size();
    need(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
    need(EVP_DigestSign(context.get(), unsigned_of(signature), &size, unsigned_of(data), data.size()) == 1);
    return signature;
}

std::string Content::bytes(const Key &key) const {
    const int64_t now = std::time(nullptr);
    std::string text = field(1, 1) + field(2, key.public_key) + fixed32(8, static_cast<uint64_t>(now + created)) +
                       fixed32(9, static_cast<uint64_t>(now + expires));
    if (app >= 0) text += field(10, static_cast<uint64_t>(app));
    return identity.empty() ? text : text + field(12, identity);
}

std::string certificate(const Key &key, const Content &content, const Key &issuer) {
    const std::string bytes = content.bytes(key);
    return field(4, bytes) + fixed64(5, issuer.id()) + field(6, issuer.sign(bytes));
}

std::string with_private_key(const std::string &certificate, const Key &key) {
    return field(1, key.seed) + certificate;
}
