#include "ice_servers.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "gns/gns_native.hpp"

namespace gns_core {

namespace {

constexpr size_t most_servers = 16;
constexpr size_t longest_list = 4096; // bytes
constexpr size_t longest_shown = 64;

size_t count_of(std::string_view list) {
    return list.empty() ? 0 : static_cast<size_t>(std::count(list.begin(), list.end(), ',')) + 1;
}

bool is_server(const std::string &text) {
    if (text.find_first_not_of("0123456789abcdefABCDEF:.[]") != std::string::npos) return false;
    SteamNetworkingIPAddr address;
    if (!address.ParseString(text.c_str()) || address.m_port == 0 || address.IsIPv6AllZeros()) return false;
    if (!address.IsIPv4()) return true;
    char canonical[SteamNetworkingIPAddr::k_cchMaxString];
    address.ToString(canonical, sizeof canonical, true);
    return address.GetIPv4() != 0 && text == canonical; // GNS also takes an address with something behind it
}

}

std::string problem_with_servers(int32_t option, const char *value) {
    const bool names_servers = option == k_ESteamNetworkingConfig_P2P_STUN_ServerList ||
                               option == k_ESteamNetworkingConfig_P2P_TURN_ServerList;
    const bool names_users =
        option == k_ESteamNetworkingConfig_P2P_TURN_UserList || option == k_ESteamNetworkingConfig_P2P_TURN_PassList;
    if (!names_servers && !names_users) return "";
    const std::string_view list = value;
    if (list.size() > longest_list || count_of(list) > most_servers)
        return "a list of servers has more than " + std::to_string(most_servers) + " entries, or is too long";
    if (names_users) return "";
    for (size_t begin = 0; begin < list.size();) {
        const size_t end = std::min(list.find(',', begin), list.size());
        const std::string server(list.substr(begin, end - begin));
        if (!is_server(server))
            return "'" + server.substr(0, longest_shown) +
                   "' is not a server's number and port, such as 192.0.2.1:3478";
        begin = end + 1;
        if (begin == list.size()) return "the list of servers ends with a comma";
    }
    return "";
}

std::string problem_with_turn(const std::string &servers, const std::string &users, const std::string &passwords) {
    if (users.empty() && passwords.empty()) return "";
    const size_t count = count_of(servers);
    if (count_of(users) == count && count_of(passwords) == count) return "";
    return "there are " + std::to_string(count) + " TURN servers, " + std::to_string(count_of(users)) + " users and " +
           std::to_string(count_of(passwords)) + " passwords";
}

} // namespace gns_core
