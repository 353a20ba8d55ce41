// GNS's certificates: which are trusted, and the one of this process. Serving thread only, but for key_id. Results as
// those of the exported functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core_api.hpp"

namespace gns_core {

// Returns the id of a public key of 32 bytes.
uint64_t key_id(const uint8_t *key) noexcept;

// See gns_trust_set and gns_revoke_set.
int32_t set_trusted(const std::vector<std::string> &certificates);
int32_t set_revoked(const std::vector<uint64_t> &key_ids);
std::vector<std::string> trusted();
// Forgets both: GNS's store outlives GNS.
void forget_trust();

// See gns_certificate_request: the request's bytes.
int32_t make_request(std::string *request);
// See gns_certificate_set; private_key: "" for the one that was requested or is in use.
int32_t set_certificate(const std::string &certificate, const std::string &private_key);
int32_t certificate_info(gns_certificate *info);
// Returns whether this process has a certificate, and it has expired: GNS would connect without it.
bool has_certificate_expired();

} // namespace gns_core
