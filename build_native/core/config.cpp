#include "config.hpp"

#include <cstring>
#include <limits>
#include <string>

#include "log_queue.hpp"
#include "runtime.hpp"

namespace gns_core {

namespace {

constexpr int32_t max_segments_possible = 60000; // of the 65,535 beyond which GNS ends the process

struct OwnOption {
    int32_t value;
    const char *name;
    int32_t QueueLimits::*field;
    std::atomic<int32_t> Connection::*live;
    int32_t minimum;
    int32_t maximum;
};

constexpr OwnOption own_options[] = {
    {GNS_CONFIG_RECV_QUEUE_BYTES, "RecvQueueBytes", &QueueLimits::recv_bytes, &Connection::recv_bytes_limit, 4096, 1 << 30},
    {GNS_CONFIG_RECV_QUEUE_MESSAGES, "RecvQueueMessages", &QueueLimits::recv_messages, &Connection::recv_messages_limit, 2, 1 << 24},
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

bool is_reserved(int32_t value) {
    return value == k_ESteamNetworkingConfig_RecvBufferSize || value == k_ESteamNetworkingConfig_RecvBufferMessages ||
           value == k_ESteamNetworkingConfig_ConnectionUserData;
}

// Whether GNS's option exists, and at that scope.
int32_t check_native(int32_t value, int32_t scope, ESteamNetworkingConfigDataType *type) {
    ESteamNetworkingConfigScope innermost;
    const auto id = static_cast<ESteamNetworkingConfigValue>(value);
    if (!SteamNetworkingUtils()->GetConfigValueInfo(id, type, &innermost)) return fail(GNS_ERROR_UNKNOWN_OPTION);
    if (*type == k_ESteamNetworkingConfig_Ptr) return fail(GNS_ERROR_UNKNOWN_OPTION); // the core's own callbacks
    if (scope > innermost) return fail(GNS_ERROR_WRONG_SCOPE);
    return 0;
}

int32_t check_settable(const gns_option &option, int32_t scope) {
    if (is_reserved(option.value)) return fail(GNS_ERROR_RESERVED);
    ESteamNetworkingConfigDataType type;
    if (const int32_t error = check_native(option.value, scope, &type)) return error;
    if (option.type != int32_t{type}) return fail(GNS_ERROR_WRONG_TYPE);
    if (type == k_ESteamNetworkingConfig_Int32 && (option.integer < std::numeric_limits<int32_t>::min() ||
                                                   option.integer > std::numeric_limits<int32_t>::max()))
        return fail(GNS_ERROR_BAD_VALUE);
    if (type == k_ESteamNetworkingConfig_String && !option.string) return fail(GNS_ERROR_WRONG_TYPE);
    return 0;
}

// What a scope and a handle name.
struct Target {
    std::shared_ptr<ListenSocket> socket;
    std::shared_ptr<Connection> connection;
    intptr_t native = 0;
    QueueLimits *limits = nullptr;
};

int32_t find_target(int32_t scope, uint64_t object, Target *target) {
    Runtime &state = runtime();
    switch (scope) {
    case GNS_SCOPE_GLOBAL:
        target->limits = &state.limits;
        return object == 0 ? 0 : fail(GNS_ERROR_BAD_HANDLE);
    case GNS_SCOPE_LISTEN_SOCKET:
        target->socket = state.listen_sockets.find(object);
        if (!target->socket) return not_found();
        target->native = static_cast<intptr_t>(target->socket->native);
        target->limits = &target->socket->limits;
        return 0;
    case GNS_SCOPE_CONNECTION:
        target->connection = state.connections.find(object);
        if (!target->connection) return not_found();
        target->native = static_cast<intptr_t>(target->connection->native.load());
        return target->native ? 0 : fail(-k_EResultNoConnection);
    default: return fail(GNS_ERROR_WRONG_SCOPE);
    }
}

QueueLimits outer_limits(int32_t scope, const Target &target) {
    if (scope == GNS_SCOPE_GLOBAL) return {};
    const auto socket = target.connection ? runtime().listen_sockets.find(target.connection->listen_socket) : nullptr;
    return socket ? socket->limits : runtime().limits;
}

void refresh_after(int32_t value, const Target &target) {
    if (value != k_ESteamNetworkingConfig_SendBufferSize && value != k_ESteamNetworkingConfig_MTU_PacketSize) return;
    if (target.connection) {
        refresh_send_limits(*target.connection, target.connection->native.load());
        return;
    }
    for (const auto &connection : runtime().connections.all())
        if (const HSteamNetConnection native = connection->native.load()) refresh_send_limits(*connection, native);
}

int32_t set_native(int32_t value, ESteamNetworkingConfigDataType type, int32_t scope, const Target &target, const void *argument) {
    const ErrorCapture capture;
    if (!SteamNetworkingUtils()->SetConfigValue(static_cast<ESteamNetworkingConfigValue>(value),
                                                static_cast<ESteamNetworkingConfigScope>(scope), target.native, type, argument))
        return fail(GNS_ERROR_LOCKED, capture.text()); // the option, its scope and its type were checked: nothing else is left
    refresh_after(value, target);
    return 0;
}

int32_t set(int32_t scope, uint64_t object, const gns_option &option) {
    Target target;
    if (const OwnOption *own = own_option(option.value)) {
        if (const int32_t error = check_own(*own, option)) return error;
        if (const int32_t error = find_target(scope, object, &target)) return error;
        if (target.limits)
            target.limits->*own->field = static_cast<int32_t>(option.integer);
        else
            ((*target.connection).*own->live).store(static_cast<int32_t>(option.integer));
        return 0;
    }
    if (const int32_t error = check_settable(option, scope)) return error;
    if (const int32_t error = find_target(scope, object, &target)) return error;
    const auto integer = static_cast<int32_t>(option.integer);
    const auto real = static_cast<float>(option.real);
    switch (option.type) {
    case GNS_TYPE_INT32: return set_native(option.value, k_ESteamNetworkingConfig_Int32, scope, target, &integer);
    case GNS_TYPE_INT64: return set_native(option.value, k_ESteamNetworkingConfig_Int64, scope, target, &option.integer);
    case GNS_TYPE_FLOAT: return set_native(option.value, k_ESteamNetworkingConfig_Float, scope, target, &real);
    default: return set_native(option.value, k_ESteamNetworkingConfig_String, scope, target, option.string);
    }
}

int32_t reset(int32_t scope, uint64_t object, int32_t value) {
    Target target;
    if (const OwnOption *own = own_option(value)) {
        if (const int32_t error = find_target(scope, object, &target)) return error;
        const QueueLimits outer = outer_limits(scope, target);
        if (target.limits)
            target.limits->*own->field = outer.*own->field;
        else
            ((*target.connection).*own->live).store(outer.*own->field);
        return 0;
    }
    if (is_reserved(value)) return fail(GNS_ERROR_RESERVED);
    ESteamNetworkingConfigDataType type;
    if (const int32_t error = check_native(value, scope, &type)) return error;
    if (const int32_t error = find_target(scope, object, &target)) return error;
    return set_native(value, type, scope, target, nullptr);
}

int32_t get(int32_t scope, uint64_t object, int32_t value, gns_option *result, char *text, int32_t capacity) {
    Target target;
    *result = gns_option{};
    result->value = value;
    if (const OwnOption *own = own_option(value)) {
        if (const int32_t error = find_target(scope, object, &target)) return error;
        result->type = GNS_TYPE_INT32;
        result->integer = target.limits ? target.limits->*own->field : ((*target.connection).*own->live).load();
        return 0;
    }
    ESteamNetworkingConfigDataType type = k_ESteamNetworkingConfig_Int32;
    if (value != k_ESteamNetworkingConfig_MTU_DataSize) // GNS can read this one, but denies that it exists, and its type
        if (const int32_t error = check_native(value, scope, &type)) return error;
    if (const int32_t error = find_target(scope, object, &target)) return error;
    union {
        int32_t int32;
        int64_t int64;
        float real;
    } out{};
    const auto read = [&](void *into, size_t *size) {
        return SteamNetworkingUtils()->GetConfigValue(static_cast<ESteamNetworkingConfigValue>(value),
                                                      static_cast<ESteamNetworkingConfigScope>(scope), target.native, &type, into, size);
    };
    size_t size = 0;
    ESteamNetworkingGetConfigValueResult got = read(nullptr, &size); // tells type and size
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
    if (got < 0) return fail(got == k_ESteamNetworkingGetConfigValue_BadScopeObj ? GNS_ERROR_WRONG_SCOPE : GNS_ERROR_UNKNOWN_OPTION);
    result->type = type;
    result->integer = type == k_ESteamNetworkingConfig_Int32 ? out.int32 : type == k_ESteamNetworkingConfig_Int64 ? out.int64 : 0;
    result->real = type == k_ESteamNetworkingConfig_Float ? static_cast<double>(out.real) : 0.0;
    return got == k_ESteamNetworkingGetConfigValue_OKInherited ? 1 : 0;
}

} // namespace

int32_t native_int(ESteamNetworkingConfigValue value, HSteamNetConnection native) {
    int32_t result = 0;
    size_t size = sizeof result;
    ESteamNetworkingConfigDataType type;
    SteamNetworkingUtils()->GetConfigValue(value, k_ESteamNetworkingConfig_Connection, static_cast<intptr_t>(native), &type, &result, &size);
    return result;
}

void apply_limits(Connection &connection, const QueueLimits &limits) {
    for (const OwnOption &own : own_options) (connection.*own.live).store(limits.*own.field);
}

void refresh_send_limits(Connection &connection, HSteamNetConnection native) {
    // A segment is what fits into a packet beside its framing; GNS's own figure is a little larger.
    constexpr int32_t framing = 200;
    constexpr int32_t smallest = 16;
    connection.send_bytes_limit.store(native_int(k_ESteamNetworkingConfig_SendBufferSize, native));
    const int32_t packet = native_int(k_ESteamNetworkingConfig_MTU_PacketSize, native);
    connection.segment_size.store(packet - framing > smallest ? packet - framing : smallest);
}

int32_t translate(const gns_option *options, int32_t count, std::vector<SteamNetworkingConfigValue_t> *native, QueueLimits *limits) {
    for (const gns_option *option = options; option != options + count; ++option) {
        if (const OwnOption *own = own_option(option->value)) {
            if (const int32_t error = check_own(*own, *option)) return error;
            limits->*own->field = static_cast<int32_t>(option->integer);
            continue;
        }
        if (const int32_t error = check_settable(*option, GNS_SCOPE_CONNECTION)) return error;
        const auto id = static_cast<ESteamNetworkingConfigValue>(option->value);
        SteamNetworkingConfigValue_t value;
        switch (option->type) {
        case GNS_TYPE_INT32: value.SetInt32(id, static_cast<int32_t>(option->integer)); break;
        case GNS_TYPE_INT64: value.SetInt64(id, option->integer); break;
        case GNS_TYPE_FLOAT: value.SetFloat(id, static_cast<float>(option->real)); break;
        default: value.SetString(id, option->string); break;
        }
        native->push_back(value);
    }
    return 0;
}

} // namespace gns_core

using namespace gns_core;

int32_t gns_config_set(int32_t scope, uint64_t object, const gns_option *option) {
    return guarded([&] { return on_pump([&] { return set(scope, object, *option); }); });
}

int32_t gns_config_reset(int32_t scope, uint64_t object, int32_t value) {
    return guarded([&] { return on_pump([&] { return reset(scope, object, value); }); });
}

int32_t gns_config_get(int32_t scope, uint64_t object, int32_t value, gns_option *result, char *text, int32_t capacity) {
    return guarded([&] { return on_pump([&] { return get(scope, object, value, result, text, capacity); }); });
}

const char *gns_config_info(int32_t value, int32_t *type, int32_t *scope) {
    if (forked.load()) return nullptr;
    if (const OwnOption *own = own_option(value)) {
        *type = GNS_TYPE_INT32;
        *scope = GNS_SCOPE_CONNECTION;
        return own->name;
    }
    const NativeAccess native;
    if (!native) return nullptr;
    ESteamNetworkingConfigDataType native_type{};
    ESteamNetworkingConfigScope native_scope{};
    const char *const name =
        SteamNetworkingUtils()->GetConfigValueInfo(static_cast<ESteamNetworkingConfigValue>(value), &native_type, &native_scope);
    if (!name) return nullptr;
    *type = native_type;
    *scope = native_scope;
    return name;
}
