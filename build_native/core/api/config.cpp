// Exported: configuration.
#include "config.hpp"

#include "api/calls.hpp"

namespace {

using namespace gns_core;

// Finds what a scope and a handle name; 0 or an error.
int32_t find_target(int32_t scope, uint64_t object, OptionTarget *target) {
    Runtime &state = runtime();
    target->scope = scope;
    switch (scope) {
    case GNS_SCOPE_GLOBAL:
        if (object != 0) return fail(GNS_ERROR_BAD_HANDLE);
        target->limits = &state.limits;
        return 0;
    case GNS_SCOPE_LISTEN_SOCKET:
        target->socket = state.listen_sockets.find(object);
        if (!target->socket) return not_found();
        target->gns_handle = static_cast<intptr_t>(target->socket->gns_handle);
        target->limits = &target->socket->limits;
        target->outer = state.limits;
        return 0;
    case GNS_SCOPE_CONNECTION: {
        target->connection = state.connections.find(object);
        if (!target->connection) return not_found();
        target->gns_handle = static_cast<intptr_t>(target->connection->gns_handle.load());
        const auto socket = state.listen_sockets.find(target->connection->listen_socket);
        target->outer = socket ? socket->limits : state.limits;
        return target->gns_handle ? 0 : fail(-k_EResultNoConnection);
    }
    default: return fail(GNS_ERROR_WRONG_SCOPE);
    }
}

// Applies a change of GNS's own options to the core's send limits.
void refresh_after(int32_t value, const OptionTarget &target) {
    if (!has_send_limits(value)) return;
    if (target.connection)
        refresh_send_limits(*target.connection, target.connection->gns_handle.load());
    else
        for (const auto &connection : runtime().connections.all())
            if (const HSteamNetConnection gns_handle = connection->gns_handle.load())
                refresh_send_limits(*connection, gns_handle);
}

// Runs change(target) on the pump, once the option has passed check(). The option is
// checked before the object is looked up.
template <class Check, class Change>
int32_t change_option(int32_t scope, uint64_t object, int32_t value, const Check &check, const Change &change) {
    return guarded([&] {
        return on_pump([&]() -> int32_t {
            OptionTarget target;
            if (const int32_t error = check()) return error;
            if (const int32_t error = find_target(scope, object, &target)) return error;
            const int32_t result = change(target);
            if (result == 0) refresh_after(value, target);
            return result;
        });
    });
}

} // namespace

int32_t gns_config_set(int32_t scope, uint64_t object, const gns_option *option) {
    return change_option(
        scope, object, option->value, [&] { return check_settable(*option, scope); },
        [&](const OptionTarget &target) { return set_option(target, *option); });
}

int32_t gns_config_reset(int32_t scope, uint64_t object, int32_t value) {
    return change_option(
        scope, object, value, [&] { return check_resettable(value, scope); },
        [&](const OptionTarget &target) { return reset_option(target, value); });
}

int32_t gns_config_get(int32_t scope, uint64_t object, int32_t value, gns_option *result, char *text,
                       int32_t capacity) {
    return guarded([&] {
        return on_pump([&]() -> int32_t {
            OptionTarget target;
            *result = gns_option{};
            result->value = value;
            if (const int32_t error = check_readable(value, scope)) return error;
            if (const int32_t error = find_target(scope, object, &target)) return error;
            return get_option(target, result, text, capacity);
        });
    });
}

const char *gns_config_info(int32_t value, int32_t *type, int32_t *scope) {
    if (forked.load()) return nullptr;
    if (const char *const name = own_option_name(value)) {
        *type = GNS_TYPE_INT32;
        *scope = GNS_SCOPE_CONNECTION;
        return name;
    }
    const GnsAccess gns;
    if (!gns) return nullptr;
    ESteamNetworkingConfigDataType gns_type;
    ESteamNetworkingConfigScope gns_scope;
    const auto id = static_cast<ESteamNetworkingConfigValue>(value);
    const char *const name = SteamNetworkingUtils()->GetConfigValueInfo(id, &gns_type, &gns_scope);
    if (!name) return nullptr;
    *type = gns_type;
    *scope = gns_scope;
    return name;
}
