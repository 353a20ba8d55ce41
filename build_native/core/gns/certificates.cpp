// This file sees GNS's own classes, and is compiled with GNS's settings, exceptions aside.
#include <csteamnetworkingsockets.h>
#include <crypto.h>
#include <crypto_25519.h>
#include <steamnetworkingsockets_certstore.h>

#include "gns/certificates.hpp"

#include <climits>
#include <cstring>

#include "guard.hpp"

namespace gns_core {

namespace {

using namespace SteamNetworkingSocketsLib;
using Signed = CMsgSteamDatagramCertificateSigned;
using Content = CMsgSteamDatagramCertificate;

constexpr const char *tag = "gns_core certificates";
constexpr size_t longest = 4096; // bytes of a certificate

CSteamNetworkingSockets &sockets() { return *static_cast<CSteamNetworkingSockets *>(SteamNetworkingSockets()); }

int64_t now_s() { return sockets().m_pSteamNetworkingUtils->GetTimeSecure(); }

bool has_identity(const Content &content) {
    return content.has_identity_string() || content.has_legacy_identity_binary() || content.has_legacy_steam_id();
}

struct Trust {
    std::vector<std::string> certificates;
    std::vector<uint64_t> revoked;
};

Trust &trust() {
    static Trust *const current = new Trust; // never destroyed, as GNS's store
    return *current;
}

// Parses a certificate: "", or what is wrong with it.
std::string parse(const std::string &bytes, Signed *outer, Content *content) {
    if (bytes.size() > longest || !outer->ParseFromString(bytes) || !outer->has_cert() ||
        !content->ParseFromString(outer->cert()))
        return "it is not a certificate";
    if (content->key_type() != CMsgSteamDatagramCertificate_EKeyType_ED25519 || content->key_data().size() != 32)
        return "its key is not an ed25519 key";
    if (outer->ca_signature().size() != sizeof(CryptoSignature_t)) return "it is not signed";
    return "";
}

uint64_t id_of(const Content &content) { return key_id(reinterpret_cast<const uint8_t *>(content.key_data().data())); }

// Adds a root or an intermediate to GNS's store.
std::string add(const std::string &bytes, std::vector<uint64_t> *key_ids) {
    Signed outer;
    Content content;
    std::string problem = parse(bytes, &outer, &content);
    if (!problem.empty()) return problem;
    if (has_identity(content)) return "it is the certificate of an identity, and signs no others";
    key_ids->push_back(id_of(content));
    outer.clear_private_key_data();
    const std::string plain = outer.SerializeAsString();
    uint32 size = CCrypto::Base64EncodeMaxOutput(plain.size(), nullptr);
    std::string text(size, 0);
    if (!CCrypto::Base64Encode(plain.data(), plain.size(), text.data(), &size, nullptr)) return "it is too long";
    SteamNetworkingErrMsg error = "";
    return CertStore_AddCertFromBase64(text.c_str(), error) ? "" : error;
}

// Replaces the content of GNS's store: "", or what is wrong, and with which certificate. The global lock is held.
std::string fill(const Trust &wanted) {
    CertStore_Reset();
    std::vector<uint64_t> key_ids;
    const auto which = [](size_t index) { return "certificate " + std::to_string(index) + ": "; };
    for (size_t i = 0; i < wanted.certificates.size(); ++i) {
        const std::string problem = add(wanted.certificates[i], &key_ids);
        if (!problem.empty()) return which(i) + problem;
    }
    for (size_t i = 0; i < key_ids.size(); ++i) {
        SteamNetworkingErrMsg error = "";
        constexpr time_t beginning = 0; // one that has expired is not a mistake
        if (!CertStore_CheckPublicKey(key_ids[i], beginning, error))
            return which(i) + "it is signed neither by itself nor by another one of these";
    }
    for (const uint64_t id : wanted.revoked) CertStore_AddKeyRevocation(id);
    return "";
}

int32_t change_to(Trust wanted) {
    const SteamNetworkingGlobalLock lock(tag);
    const std::string problem = fill(wanted);
    if (problem.empty()) {
        trust() = std::move(wanted);
        return 0;
    }
    fill(trust());
    return fail(GNS_ERROR_CERTIFICATE, problem);
}

// Returns why this process cannot present a certificate; "" if it can.
std::string check_own(const Signed &outer, const Content &content) {
    SteamNetworkingErrMsg error = "";
    Content checked;
    const CertAuthScope *const scope = CertStore_CheckCert(outer, checked, now_s(), error);
    if (!scope) return std::string("it is not trusted here: ") + error;
    SteamNetworkingIdentity identity;
    if (SteamNetworkingIdentityFromCert(identity, content, error) <= 0) return "it has no identity";
    if (identity.m_eType == k_ESteamNetworkingIdentityType_IPAddress)
        return "an address is not an identity that it can prove";
    const SteamNetworkingIdentity &own = sockets().InternalGetIdentity();
    if (!own.IsInvalid() && !own.IsLocalHost() && !(own == identity))
        return std::string("it is for ") + SteamNetworkingIdentityRender(identity).c_str() + ", and this process is " +
               SteamNetworkingIdentityRender(own).c_str();
    if (content.app_ids_size() == 0) return "it has no app id: peers would refuse it";
    if (!CheckCertAppID(content, scope, sockets().m_pSteamNetworkingUtils->GetAppID(), error)) return error;
    if (int64_t{content.time_expiry()} - now_s() > INT_MAX)
        return "it expires in more than 68 years, which GNS takes for the past";
    return "";
}

} // namespace

uint64_t key_id(const uint8_t *key) noexcept { return CalculatePublicKeyID_Ed25519(key, 32); }

std::vector<std::string> trusted() { return trust().certificates; }

int32_t set_trusted(const std::vector<std::string> &certificates) { return change_to({certificates, trust().revoked}); }

int32_t set_revoked(const std::vector<uint64_t> &key_ids) { return change_to({trust().certificates, key_ids}); }

void forget_trust() { change_to({}); }

int32_t make_request(std::string *request) {
    SteamNetworkingErrMsg error = "";
    int size = 0;
    if (sockets().GetCertificateRequest(&size, nullptr, error)) {
        request->resize(static_cast<size_t>(size));
        if (sockets().GetCertificateRequest(&size, request->data(), error)) return 0;
    }
    return fail(GNS_ERROR_NATIVE, error);
}

int32_t set_certificate(const std::string &certificate, const std::string &private_key) {
    Signed outer;
    Content content;
    std::string problem = parse(certificate, &outer, &content);
    if (!problem.empty()) return fail(GNS_ERROR_CERTIFICATE, problem);
    const SteamNetworkingGlobalLock lock(tag);
    problem = check_own(outer, content);
    if (!problem.empty()) return fail(GNS_ERROR_CERTIFICATE, problem);

    CECSigningPrivateKey &current = sockets().m_keyPrivateKey;
    CECSigningPrivateKey key, before;
    if (current.IsValid()) before.CopyFrom(current);
    const std::string seed = private_key.empty() ? outer.private_key_data() : private_key;
    if (seed.empty() && !current.IsValid())
        return fail(GNS_ERROR_CERTIFICATE, "this process has no private key for it");
    if (seed.empty())
        key.CopyFrom(current);
    else if (seed.size() != 32 || !key.SetRawDataFromStdString(seed))
        return fail(GNS_ERROR_CERTIFICATE, "the private key is not one of ed25519, of 32 bytes");
    if (std::memcmp(key.GetPublicKeyRawData(), content.key_data().data(), 32) != 0)
        return fail(GNS_ERROR_CERTIFICATE, "the private key is not the one of the certificate");
    outer.clear_private_key_data();
    const std::string plain = outer.SerializeAsString();
    // GNS takes the place of its key for a mistake, but connections have copies of theirs.
    current.CopyFrom(key);
    SteamNetworkingErrMsg error = "";
    if (sockets().SetCertificate(plain.data(), static_cast<int>(plain.size()), error)) return 0;
    if (before.IsValid())
        current.CopyFrom(before);
    else
        current.Wipe();
    return fail(GNS_ERROR_CERTIFICATE, error);
}

int32_t certificate_info(gns_certificate *info) {
    const SteamNetworkingGlobalLock lock(tag);
    *info = gns_certificate{};
    if (!sockets().m_msgSignedCert.has_cert()) return 0;
    const Content &content = sockets().m_msgCert;
    info->key_id = id_of(content);
    info->issuer_key_id = sockets().m_msgSignedCert.ca_key_id();
    info->created = content.time_created();
    info->expires = content.time_expiry();
    std::memcpy(info->key, content.key_data().data(), sizeof info->key);
    sockets().InternalGetIdentity().ToString(info->identity, sizeof info->identity);
    return 1;
}

bool has_certificate_expired() {
    const SteamNetworkingGlobalLock lock(tag);
    return sockets().m_msgSignedCert.has_cert() && sockets().GetSecondsUntilCertExpiry() <= 0;
}

} // namespace gns_core
