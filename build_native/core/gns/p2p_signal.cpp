// This file sees GNS's own classes, and is compiled with GNS's settings, exceptions aside.
#include <steamnetworkingsockets_internal.h>
#include <steamnetworkingsockets_messages.pb.h>

#include "gns/p2p_signal.hpp"

#include "core_api.hpp"

namespace gns_core {

namespace {

using Message = CMsgSteamNetworkingP2PRendezvous;

// GNS checks each of them with each of this end's addresses, and keeps them for the connection's life.
constexpr int64_t most_reliable_messages = 64;
constexpr int longest_candidate = 256;

// Their numbers begin at 1. A number beyond the limit is never reached, as GNS takes them in order.
void limit_reliable_messages(Message *message) {
    const int64_t first = message->first_reliable_msg();
    const int64_t allowed = first > most_reliable_messages ? 0 : most_reliable_messages + 1 - first;
    if (message->reliable_messages_size() <= allowed) return;
    message->mutable_reliable_messages()->DeleteSubrange(static_cast<int>(allowed),
                                                         message->reliable_messages_size() - static_cast<int>(allowed));
    if (allowed == 0) message->clear_first_reliable_msg();
}

bool has_long_candidate(const Message &message) {
    for (const auto &each : message.reliable_messages())
        if (each.ByteSizeLong() > longest_candidate) return true;
    return false;
}

bool parse(const std::string &signal, Message *message) { return message->ParseFromString(signal); }

} // namespace

std::string read_signal(const std::string &signal, const std::string &sender, SignalFacts *facts, std::string *clean) {
    Message message;
    if (!parse(signal, &message)) return "it is not a signal of GNS";
    if (message.from_identity().empty() && message.has_connection_closed() && message.to_connection_id()) {
        message.set_from_identity(sender);
        message.set_from_connection_id(message.to_connection_id());
    }
    SteamNetworkingIdentity from;
    if (!from.ParseString(message.from_identity().c_str())) return "it does not say who it is from";
    char canonical[SteamNetworkingIdentity::k_cchMaxString];
    from.ToString(canonical, sizeof canonical);
    if (sender != canonical) return "it says that it is from " + std::string(canonical) + ", not from " + sender;
    if (!message.from_connection_id()) return "it does not say which connection it is from";
    if (has_long_candidate(message)) return "it has a candidate that is too long";
    message.clear_application_messages();
    limit_reliable_messages(&message);
    // Otherwise GNS takes the peer for one of old, and complains if it has had something new from it.
    if (!message.has_ack_reliable_msg()) message.set_ack_reliable_msg(0);

    facts->from = message.from_connection_id();
    facts->to = message.to_connection_id();
    facts->request = message.has_connect_request();
    facts->close = message.has_connection_closed();
    facts->ice = message.ice_enabled();
    // GNS has more virtual ports, for the other interfaces that it offers.
    const auto port = [](uint32_t number) {
        return number <= GNS_MAX_VIRTUAL_PORT ? static_cast<int32_t>(number) : -1;
    };
    if (message.connect_request().has_to_virtual_port())
        facts->peer_port = facts->port = port(message.connect_request().to_virtual_port());
    if (message.connect_request().has_from_virtual_port())
        facts->peer_port = port(message.connect_request().from_virtual_port());
    if (facts->to == 0) message.clear_to_connection_id(); // GNS looks whether it is there
    *clean = message.SerializeAsString();
    return "";
}

std::string without_disturbance(const std::string &signal, bool drop_request, bool established) {
    Message message;
    if (!parse(signal, &message)) return signal;
    if (drop_request) message.clear_connect_request();
    if (established)
        for (auto &each : *message.mutable_reliable_messages())
            if (each.has_ice()) each.mutable_ice()->clear_auth();
    return message.SerializeAsString();
}

std::string complete_rejection(const std::string &signal, const std::string &own_identity, int32_t reason,
                               const std::string &text) {
    Message message;
    if (!parse(signal, &message)) return signal;
    message.set_from_identity(own_identity);
    // There is no connection here that could give it a number. The receiver's own is its alone, too.
    message.set_from_connection_id(message.to_connection_id());
    if (reason) {
        message.mutable_connection_closed()->set_reason_code(static_cast<uint32_t>(reason));
        message.mutable_connection_closed()->set_debug(text);
    }
    return message.SerializeAsString();
}

} // namespace gns_core
