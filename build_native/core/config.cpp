#include "config.hpp"

#include <limits>

#include "guard.hpp"
#include "ice_servers.hpp"
#include "log_queue.hpp"

namespace gns_core {

namespace {

constexpr int32_t max_segments_possible = 60000; // beyond 65,535 GNS ends the process

struct OwnOption {
    int32_t value;
    const char *name;
    int32_t QueueLimits::*field;
    std::atomic<int32_t> Connection::*live;
    int32_t minimum;
    int32_t maximum;
};

constexpr OwnOption own_options[] = {
    {GNS_CONFIG_RECV_QUEUE_BYTES, "RecvQueueBytes", &QueueLimits::recv_bytes, &Connection::recv_bytes_limit, 4096,
     1 << 30},
    {GNS_CONFIG_RECV_QUEUE_MESSAGES, "RecvQueueMessages", &QueueLimits::recv_messages, &Connection::recv_messages_limit,
     2, 1 << 24},
    {GNS_CONFIG_MAX_UNACKED_SEGMENTS, "MaxUnackedSegments", &QueueLimits::max_segments, &Connection::max_segments, 64,
     max_segments_possible},
};

const OwnOption *own_option(int32_t value) {
    for (const OwnOption &option : own_options)
        if (option.value == value) return &option;
    return nullptr;
}

int32_t check_own(const OwnOption &own, const gns_option &option) {
    if (option.type != GNS_TYPE_INT32) return fail(GNS_ERROR_WRONG_TYPE);
    if (option.integer < own.minimum || option.integer > own.maximum) return fail(GNS_ERROR_BAD_VALUE);
    return 0;
}

int32_t read_own(const OwnOption &own, const OptionTarget &target) {
    return target.limits ? target.limits->*own.field : ((*target.connection).*own.live).load();
}

void write_own(const OwnOption &own, const OptionTarget &target, int32_t value) {
    if (target.limits)
        target.limits->*own.field = value;
    else
        ((*target.connection).*own.live).store(value);
}

bool is_reserved(int32_t value) {
    return value == k_ESteamNetworkingConfig_RecvBufferSize || value == k_ESteamNetworkingConfig_RecvBufferMessages ||
           value == k_ESteamNetworkingConfig_ConnectionUserData;
}

// Finds the type of an option of GNS's; an error if there is no such option, or none at that scope.
int32_t check_exists(int32_t value, int32_t scope, ESteamNetworkingConfigDataType *type) {
    ESteamNetworkingConfigScope innermost;
    const auto id = static_cast<ESteamNetworkingConfigValue>(value);
    if (!SteamNetworkingUtils()->GetConfigValueInfo(id, type, &innermost)) return fail(GNS_ERROR_UNKNOWN_OPTION);
    if (*type == k_ESteamNetworkingConfig_Ptr) return fail(GNS_ERROR_UNKNOWN_OPTION); // the core's own callbacks
    if (scope > innermost) return fail(GNS_ERROR_WRONG_SCOPE);
    return 0;
}

int32_t write_gns(const OptionTarget &target, int32_t value, int32_t type, const void *argument) {
    const ErrorCapture capture;
    const bool written = SteamNetworkingUtils()->SetConfigValue(
        static_cast<ESteamNetworkingConfigValue>(value), static_cast<ESteamNetworkingConfigScope>(target.scope),
        target.gns_handle, static_cast<ESteamNetworkingConfigDataType>(type), argument);
    // The option, its scope and its type were checked: there is no other reason left.
    return written ? 0 : fail(GNS_ERROR_LOCKED, capture.text());
}

} // namespace

int32_t effective_int(ESteamNetworkingConfigValue value, uint32_t gns_handle, ESteamNetworkingConfigScope scope) {
    int32_t result = 0;
    size_t size = sizeof result;
    ESteamNetworkingConfigDataType type;
    SteamNetworkingUtils()->GetConfigValue(value, scope, static_cast<intptr_t>(gns_handle), &type, &result, &size);
    return result;
}

void apply_limits(Connection &connection, const QueueLimits &limits) {
    for (const OwnOption &own : own_options) (connection.*own.live).store(limits.*own.field);
}

bool has_send_limits(int32_t value) {
    return value == k_ESteamNetworkingConfig_SendBufferSize || value == k_ESteamNetworkingConfig_MTU_PacketSize;
}

void refresh_send_limits(Connection &connection, HSteamNetConnection gns_handle) {
    // A segment is what fits into a packet along with its framing; GNS's own figure is a little larger.
    constexpr int32_t framing = 200;
    constexpr int32_t smallest = 16;
    connection.send_bytes_limit.store(effective_int(k_ESteamNetworkingConfig_SendBufferSize, gns_handle));
    const int32_t packet = effective_int(k_ESteamNetworkingConfig_MTU_PacketSize, gns_handle);
    connection.segment_size.store(packet - framing > smallest ? packet - framing : smallest);
}

int32_t translate(const gns_option *options, int32_t count, std::vector<SteamNetworkingConfigValue_t> *gns_options,
                  QueueLimits *limits) {
    for (const gns_option *option = options; option != options + count; ++option) {
        if (const int32_t error = check_settable(*option, GNS_SCOPE_CONNECTION)) return error;
        if (const OwnOption *own = own_option(option->value)) {
            limits->*own->field = static_cast<int32_t>(option->integer);
            continue;
        }
        const auto id = static_cast<ESteamNetworkingConfigValue>(option->value);
        SteamNetworkingConfigValue_t value;
        switch (option->type) {
        case GNS_TYPE_INT32: value.SetInt32(id, static_cast<int32_t>(option->integer)); break;
        case GNS_TYPE_INT64: value.SetInt64(id, option->integer); break;
        case GNS_TYPE_FLOAT: value.SetFloat(id, static_cast<float>(option->real)); break;
        default: value.SetString(id, option->string); break;
        }
        gns_options->push_back(value);
    }
    return 0;
}

int32_t check_settable(const gns_option &option, int32_t scope) {
    if (const OwnOption *own = own_option(option.value)) return check_own(*own, option);
    if (is_reserved(option.value)) return fail(GNS_ERROR_RESERVED);
    ESteamNetworkingConfigDataType type;
    if (const int32_t error = check_exists(option.value, scope, &type)) return error;
    if (option.type != int32_t{type}) return fail(GNS_ERROR_WRONG_TYPE);
    if (type == k_ESteamNetworkingConfig_Int32 &&
        (option.integer < std::numeric_limits<int32_t>::min() || option.integer > std::numeric_limits<int32_t>::max()))
        return fail(GNS_ERROR_BAD_VALUE);
    if (type != k_ESteamNetworkingConfig_String) return 0;
    if (!option.string) return fail(GNS_ERROR_WRONG_TYPE);
    const std::string problem = problem_with_servers(option.value, option.string);
    return problem.empty() ? 0 : fail(GNS_ERROR_BAD_VALUE, problem);
}

int32_t check_resettable(int32_t value, int32_t scope) {
    if (own_option(value)) return 0;
    if (is_reserved(value)) return fail(GNS_ERROR_RESERVED);
    ESteamNetworkingConfigDataType type;
    return check_exists(value, scope, &type);
}

int32_t check_readable(int32_t value, int32_t scope) {
    // GNS can read the last one, but denies that it and its type exist.
    if (own_option(value) || value == k_ESteamNetworkingConfig_MTU_DataSize) return 0;
    ESteamNetworkingConfigDataType type;
    return check_exists(value, scope, &type);
}

int32_t set_option(const OptionTarget &target, const gns_option &option) {
    const auto integer = static_cast<int32_t>(option.integer);
    if (const OwnOption *own = own_option(option.value)) {
        write_own(*own, target, integer);
        return 0;
    }
    const auto real = static_cast<float>(option.real);
    switch (option.type) {
    case GNS_TYPE_INT32: return write_gns(target, option.value, option.type, &integer);
    case GNS_TYPE_INT64: return write_gns(target, option.value, option.type, &option.integer);
    case GNS_TYPE_FLOAT: return write_gns(target, option.value, option.type, &real);
    default: return write_gns(target, option.value, option.type, option.string);
    }
}

int32_t reset_option(const OptionTarget &target, int32_t value) {
    if (const OwnOption *own = own_option(value)) {
        write_own(*own, target, target.outer.*own->field);
        return 0;
    }
    ESteamNetworkingConfigDataType type;
    if (const int32_t error = check_exists(value, target.scope, &type)) return error;
    return write_gns(target, value, type, nullptr);
}

int32_t get_option(const OptionTarget &target, gns_option *result, char *text, int32_t capacity) {
    if (const OwnOption *own = own_option(result->value)) {
        result->type = GNS_TYPE_INT32;
        result->integer = read_own(*own, target);
        return 0;
    }
    union {
        int32_t int32;
        int64_t int64;
        float real;
    } out{};
    ESteamNetworkingConfigDataType type = k_ESteamNetworkingConfig_Int32;
    const auto read = [&](void *into, size_t *size) {
        return SteamNetworkingUtils()->GetConfigValue(static_cast<ESteamNetworkingConfigValue>(result->value),
                                                      static_cast<ESteamNetworkingConfigScope>(target.scope),
                                                      target.gns_handle, &type, into, size);
    };
    size_t size = 0;
    ESteamNetworkingGetConfigValueResult got = read(nullptr, &size); // reports type and size
    if (got == k_ESteamNetworkingGetConfigValue_BufferTooSmall || got > 0) {
        if (type == k_ESteamNetworkingConfig_String) {
            if (size > static_cast<size_t>(capacity)) return fail(GNS_ERROR_BUFFER_TOO_SMALL);
            size = static_cast<size_t>(capacity);
            got = read(text, &size);
        } else {
            size = sizeof out;
            got = read(&out, &size);
        }
    }
    if (got == k_ESteamNetworkingGetConfigValue_BadScopeObj) return fail(GNS_ERROR_WRONG_SCOPE);
    if (got < 0) return fail(GNS_ERROR_UNKNOWN_OPTION);
    result->type = type;
    result->integer = type == k_ESteamNetworkingConfig_Int32   ? out.int32
                      : type == k_ESteamNetworkingConfig_Int64 ? out.int64
                                                               : 0;
    result->real = type == k_ESteamNetworkingConfig_Float ? static_cast<double>(out.real) : 0.0;
    return got == k_ESteamNetworkingGetConfigValue_OKInherited ? 1 : 0;
}

const char *own_option_name(int32_t value) {
    const OwnOption *const own = own_option(value);
    return own ? own->name : nullptr;
}

} // namespace gns_core
