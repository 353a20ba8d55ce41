// Exported: the layout of each struct of gns_core.h in memory; fixed here, and compared by the reader with its own.
#include <cstddef>

#include "core_api.hpp"

namespace {

#define GNS_STRUCT(type) {#type, "", sizeof(type), alignof(type)}
#define GNS_FIELD(type, field) {#type, #field, sizeof(type::field), offsetof(type, field)}

static_assert(sizeof(gns_address) == 24);
static_assert(sizeof(gns_option) == 32);
static_assert(sizeof(gns_limits) == 24);
static_assert(sizeof(gns_limit_counters) == 48);
static_assert(sizeof(gns_peer_policy) == 32);
static_assert(sizeof(gns_event) == 56);
static_assert(sizeof(gns_batch) == 24);
static_assert(sizeof(gns_connection_info) == 488);
static_assert(sizeof(gns_connection_status) == 64);
static_assert(sizeof(gns_lane_status) == 24);
static_assert(sizeof(gns_sample) == 72);
static_assert(sizeof(gns_send_queue) == 40);
static_assert(sizeof(gns_log_record) == 2064);
static_assert(sizeof(gns_layout_entry) == 24);
static_assert(sizeof(gns_build_info) == 64);
static_assert(sizeof(gns_certificate) == 192);
static_assert(sizeof(gns_authentication) == 56);
static_assert(sizeof(gns_signalling_counters) == 88);

const gns_layout_entry layout[] = {
    GNS_STRUCT(gns_address),
    GNS_FIELD(gns_address, ip),
    GNS_FIELD(gns_address, port),
    GNS_FIELD(gns_address, reserved),
    GNS_STRUCT(gns_option),
    GNS_FIELD(gns_option, value),
    GNS_FIELD(gns_option, type),
    GNS_FIELD(gns_option, integer),
    GNS_FIELD(gns_option, real),
    GNS_FIELD(gns_option, string),
    GNS_STRUCT(gns_limits),
    GNS_FIELD(gns_limits, rate_per_address),
    GNS_FIELD(gns_limits, burst_per_address),
    GNS_FIELD(gns_limits, max_half_open),
    GNS_FIELD(gns_limits, max_half_open_per_address),
    GNS_FIELD(gns_limits, max_connections_per_address),
    GNS_STRUCT(gns_limit_counters),
    GNS_FIELD(gns_limit_counters, admitted),
    GNS_FIELD(gns_limit_counters, rate),
    GNS_FIELD(gns_limit_counters, half_open),
    GNS_FIELD(gns_limit_counters, half_open_per_address),
    GNS_FIELD(gns_limit_counters, connections_per_address),
    GNS_FIELD(gns_limit_counters, gave_way),
    GNS_STRUCT(gns_peer_policy),
    GNS_FIELD(gns_peer_policy, identity),
    GNS_FIELD(gns_peer_policy, keys),
    GNS_FIELD(gns_peer_policy, identity_size),
    GNS_FIELD(gns_peer_policy, key_count),
    GNS_FIELD(gns_peer_policy, authenticated),
    GNS_FIELD(gns_peer_policy, reserved),
    GNS_STRUCT(gns_event),
    GNS_FIELD(gns_event, connection),
    GNS_FIELD(gns_event, number),
    GNS_FIELD(gns_event, time_us),
    GNS_FIELD(gns_event, offset),
    GNS_FIELD(gns_event, size),
    GNS_FIELD(gns_event, kind),
    GNS_FIELD(gns_event, old_state),
    GNS_FIELD(gns_event, new_state),
    GNS_FIELD(gns_event, code),
    GNS_FIELD(gns_event, lane),
    GNS_FIELD(gns_event, flags),
    GNS_STRUCT(gns_batch),
    GNS_FIELD(gns_batch, events),
    GNS_FIELD(gns_batch, more),
    GNS_FIELD(gns_batch, payload),
    GNS_FIELD(gns_batch, logs),
    GNS_FIELD(gns_batch, reserved),
    GNS_STRUCT(gns_connection_info),
    GNS_FIELD(gns_connection_info, listen_socket),
    GNS_FIELD(gns_connection_info, user_data),
    GNS_FIELD(gns_connection_info, state),
    GNS_FIELD(gns_connection_info, end_reason),
    GNS_FIELD(gns_connection_info, flags),
    GNS_FIELD(gns_connection_info, authenticated),
    GNS_FIELD(gns_connection_info, remote_address),
    GNS_FIELD(gns_connection_info, identity),
    GNS_FIELD(gns_connection_info, end_text),
    GNS_FIELD(gns_connection_info, description),
    GNS_FIELD(gns_connection_info, peer_key_expires),
    GNS_FIELD(gns_connection_info, peer_key),
    GNS_FIELD(gns_connection_info, route),
    GNS_FIELD(gns_connection_info, virtual_port),
    GNS_STRUCT(gns_connection_status),
    GNS_FIELD(gns_connection_status, state),
    GNS_FIELD(gns_connection_status, ping_ms),
    GNS_FIELD(gns_connection_status, quality_local),
    GNS_FIELD(gns_connection_status, quality_remote),
    GNS_FIELD(gns_connection_status, out_packets_per_second),
    GNS_FIELD(gns_connection_status, out_bytes_per_second),
    GNS_FIELD(gns_connection_status, in_packets_per_second),
    GNS_FIELD(gns_connection_status, in_bytes_per_second),
    GNS_FIELD(gns_connection_status, send_rate),
    GNS_FIELD(gns_connection_status, pending_unreliable),
    GNS_FIELD(gns_connection_status, pending_reliable),
    GNS_FIELD(gns_connection_status, sent_unacked_reliable),
    GNS_FIELD(gns_connection_status, queue_time_us),
    GNS_FIELD(gns_connection_status, max_jitter_us),
    GNS_FIELD(gns_connection_status, reserved),
    GNS_STRUCT(gns_lane_status),
    GNS_FIELD(gns_lane_status, pending_unreliable),
    GNS_FIELD(gns_lane_status, pending_reliable),
    GNS_FIELD(gns_lane_status, sent_unacked_reliable),
    GNS_FIELD(gns_lane_status, reserved),
    GNS_FIELD(gns_lane_status, queue_time_us),
    GNS_STRUCT(gns_sample),
    GNS_FIELD(gns_sample, time_us),
    GNS_FIELD(gns_sample, status),
    GNS_STRUCT(gns_send_queue),
    GNS_FIELD(gns_send_queue, bytes),
    GNS_FIELD(gns_send_queue, messages),
    GNS_FIELD(gns_send_queue, segments),
    GNS_FIELD(gns_send_queue, max_bytes),
    GNS_FIELD(gns_send_queue, max_segments),
    GNS_STRUCT(gns_log_record),
    GNS_FIELD(gns_log_record, time_us),
    GNS_FIELD(gns_log_record, level),
    GNS_FIELD(gns_log_record, size),
    GNS_FIELD(gns_log_record, text),
    GNS_STRUCT(gns_layout_entry),
    GNS_FIELD(gns_layout_entry, struct_name),
    GNS_FIELD(gns_layout_entry, field),
    GNS_FIELD(gns_layout_entry, size),
    GNS_FIELD(gns_layout_entry, offset),
    GNS_STRUCT(gns_build_info),
    GNS_FIELD(gns_build_info, version),
    GNS_FIELD(gns_build_info, gns_version),
    GNS_FIELD(gns_build_info, protobuf_version),
    GNS_FIELD(gns_build_info, crypto),
    GNS_FIELD(gns_build_info, mode),
    GNS_FIELD(gns_build_info, build_type),
    GNS_FIELD(gns_build_info, compiler),
    GNS_FIELD(gns_build_info, platform),
    GNS_STRUCT(gns_certificate),
    GNS_FIELD(gns_certificate, key_id),
    GNS_FIELD(gns_certificate, issuer_key_id),
    GNS_FIELD(gns_certificate, created),
    GNS_FIELD(gns_certificate, expires),
    GNS_FIELD(gns_certificate, key),
    GNS_FIELD(gns_certificate, identity),
    GNS_STRUCT(gns_authentication),
    GNS_FIELD(gns_authentication, trust),
    GNS_FIELD(gns_authentication, trust_sizes),
    GNS_FIELD(gns_authentication, certificate),
    GNS_FIELD(gns_authentication, key),
    GNS_FIELD(gns_authentication, policy), // NOLINT(bugprone-sizeof-expression) - of the pointer, as it is meant
    GNS_FIELD(gns_authentication, trust_count),
    GNS_FIELD(gns_authentication, certificate_size),
    GNS_FIELD(gns_authentication, key_size),
    GNS_FIELD(gns_authentication, reserved),
    GNS_STRUCT(gns_signalling_counters),
    GNS_FIELD(gns_signalling_counters, sent),
    GNS_FIELD(gns_signalling_counters, sent_dropped),
    GNS_FIELD(gns_signalling_counters, received),
    GNS_FIELD(gns_signalling_counters, bad),
    GNS_FIELD(gns_signalling_counters, flooded),
    GNS_FIELD(gns_signalling_counters, ends_dropped),
    GNS_FIELD(gns_signalling_counters, stray),
    GNS_FIELD(gns_signalling_counters, not_listening),
    GNS_FIELD(gns_signalling_counters, repeated),
    GNS_FIELD(gns_signalling_counters, rate),
    GNS_FIELD(gns_signalling_counters, pending),
};

#undef GNS_STRUCT
#undef GNS_FIELD

} // namespace

const gns_layout_entry *gns_layout(int32_t *count) {
    *count = sizeof layout / sizeof layout[0];
    return layout;
}
