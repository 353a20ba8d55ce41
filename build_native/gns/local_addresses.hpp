// Puts the addresses of this host that ICE should use before the others; see gns_mended_candidates.cmake. Included by
// GNS's steamnetworkingsockets_ice_client.cpp.
#pragma once

#include <algorithm>
#include <climits>
#include <vector>

namespace gns_mended {

using namespace SteamNetworkingSocketsLib;

// Returns the address from which the system sends to this one, or one that is not valid if there is no route. Nothing
// is sent.
inline CIPAddress source_for(netadr_t target) {
    netadr_t source;
    if (target.GetPort() == 0) target.SetPort(9); // not every system takes 0
#ifdef SOCK_CLOEXEC
    constexpr int kind = SOCK_DGRAM | SOCK_CLOEXEC;
#else
    constexpr int kind = SOCK_DGRAM;
#endif
    const SOCKET asking = socket(target.GetType() == k_EIPTypeV4 ? AF_INET : AF_INET6, kind, IPPROTO_UDP);
    if (asking == INVALID_SOCKET) return source;
    sockaddr_storage address;
    const auto target_size = static_cast<socklen_t>(target.ToSockadr(&address));
    socklen_t source_size = sizeof address;
    if (connect(asking, reinterpret_cast<const sockaddr *>(&address), target_size) == 0 &&
        getsockname(asking, reinterpret_cast<sockaddr *>(&address), &source_size) == 0)
        source.SetFromSockadr(&address);
    closesocket(asking);
    return source;
}

inline bool is_in_subnet(const CIPAddress &local, int prefix, const CIPAddress &other) {
    if (prefix <= 0 || local.GetType() != other.GetType()) return false;
    uint8 local_bytes[16], other_bytes[16];
    local.GetIPV6(local_bytes);
    other.GetIPV6(other_bytes);
    const int bits = std::min(128, prefix + (local.GetType() == k_EIPTypeV4 ? 96 : 0));
    for (int bit = 0; bit < bits; ++bit)
        if ((local_bytes[bit / 8] ^ other_bytes[bit / 8]) & (0x80 >> bit % 8)) return false;
    return true;
}

// First come those from which the system sends to the internet, to the servers, and to the peer. The others follow in
// the system's order, IPv4 and IPv6 in turn, and last those in whose subnet there is a better one.
inline void put_best_first(CUtlVector<LocalAddress_t> &addresses, const std::vector<netadr_t> &servers,
                           const std::vector<netadr_t> &peer) {
    constexpr int second_in_subnet = 1 << 20, no_target = 1 << 10, none_yet = INT_MAX;
    struct Ranked {
        LocalAddress_t local;
        CIPAddress ip;
        int rank;
    };
    std::vector<Ranked> ranked;
    for (const LocalAddress_t &local : addresses) {
        netadr_t address;
        SteamNetworkingIPAddrToNetAdr(address, local.m_addr);
        ranked.push_back({local, address.GetIP(), none_yet});
    }

    int best = 0;
    const auto prefer = [&](const netadr_t &target) {
        const CIPAddress source = source_for(target);
        for (Ranked &each : ranked)
            if (each.ip == source && each.rank == none_yet) each.rank = best++;
    };
    for (const char *internet : {"192.0.2.1", "2001:db8::1"}) prefer(netadr_t(internet));
    for (const netadr_t &server : servers) prefer(server);
    for (const netadr_t &candidate : peer) {
        // A peer that has an address like one of ours is not reached there.
        const auto is_it = [&](const Ranked &each) { return each.ip == candidate.GetIP(); };
        if (std::none_of(ranked.begin(), ranked.end(), is_it)) prefer(candidate);
    }

    int in_family[2] = {0, 0};
    for (Ranked &each : ranked) {
        if (each.rank != none_yet) continue;
        const bool is_second = std::any_of(ranked.begin(), ranked.end(), [&](const Ranked &other) {
            return other.rank != none_yet && is_in_subnet(other.ip, other.local.m_nPrefixLen, each.ip);
        });
        each.rank = (is_second ? second_in_subnet : no_target) + in_family[each.ip.GetType() == k_EIPTypeV6]++;
    }

    std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked &a, const Ranked &b) { return a.rank < b.rank; });
    addresses.RemoveAll();
    for (const Ranked &each : ranked) addresses.AddToTail(each.local);
}

} // namespace gns_mended
