#include "pump/pump.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <future>
#include <limits>
#include <utility>

#include "config.hpp"
#include "gns/end_early.hpp"
#include "gns/gatekeeper.hpp"
#include "history.hpp"
#include "log_queue.hpp"
#include "mailbox.hpp"
#include "memory_reserve.hpp"
#include "gns/ping.hpp"
#include "runtime.hpp"

namespace gns_core {

namespace {

constexpr int idle_poll_ms = 1000;
constexpr int lingering_poll_ms = 5;
constexpr size_t send_batch = 1024;   // GNS sorts a batch on the stack
constexpr size_t kept_commands = 16384;
constexpr size_t signals_at_once = 1024;
constexpr int receive_batch = 256;
constexpr int64_t max_waiting_unreliable = 4096;
constexpr int64_t goodbye_us = 30'000; // for the packet that says "closed" after the last ack
constexpr size_t max_closed = 8192;    // as many connections as GNS has
constexpr std::chrono::seconds park_patience{5};
constexpr const char *shutdown_text = "the runtime was stopped";
constexpr const char *failure_text = "this end has no memory for the connection";

thread_local bool on_pump_thread = false;

std::unique_ptr<gns_connection_info> copy(const gns_connection_info &info) {
    return std::make_unique<gns_connection_info>(info);
}

int64_t now_us() { return SteamNetworkingUtils()->GetLocalTimestamp(); }

void log_failure(const char *what) noexcept {
    try {
        log_queue().push(k_ESteamNetworkingSocketsDebugOutputType_Error, (std::string("gns_core: ") + what).c_str());
    } catch (...) { // no memory for a line, too
    }
}

} // namespace

void free_closed_ports() {
    const GlobalLock lock;
    SteamNetworkingSocketsLib::ProcessPendingDestroyClosedRawUDPSockets();
}

// ---- any thread ----

void Pump::start() {
    poll_group_ = SteamNetworkingSockets()->CreatePollGroup();
    to_signal_.reserve(signals_at_once);
    stopping_.store(false);
    wake_pending_.store(false);
    {
        std::lock_guard lock(queue_mutex_);
        accepting_ = true;
    }
    set_alive(true);
    try {
        thread_ = std::thread([this] { loop(); });
    } catch (...) { // no thread to be had
        set_alive(false);
        {
            std::lock_guard lock(queue_mutex_);
            accepting_ = false;
        }
        SteamNetworkingSockets()->DestroyPollGroup(poll_group_);
        throw;
    }
}

void Pump::stop(int64_t linger_us) {
    {
        std::lock_guard lock(queue_mutex_);
        accepting_ = false;
    }
    stop_deadline_us_.store(now_us() + std::max<int64_t>(linger_us, 0));
    stopping_.store(true);
    SteamNetworkingSocketsLib::WakeServiceThread();
    thread_.join();
    wake_pending_.store(true); // nobody there to be woken any more
}

void Pump::park() {
    std::unique_lock lock(park_mutex_);
    ++park_requests_;
    if (alive_) SteamNetworkingSocketsLib::WakeServiceThread();
    park_changed_.wait_for(lock, park_patience, [this] { return parked_ || !alive_; });
}

void Pump::unpark() {
    std::lock_guard lock(park_mutex_);
    --park_requests_;
    park_changed_.notify_all();
}

void Pump::set_alive(bool alive) {
    std::lock_guard lock(park_mutex_);
    alive_ = alive;
    park_changed_.notify_all();
}

void Pump::wake() {
    if (on_pump_thread || wake_pending_.exchange(true)) return;
    if (NativeAccess native; native) SteamNetworkingSocketsLib::WakeServiceThread();
}

bool Pump::enqueue(Command command) {
    {
        std::lock_guard lock(queue_mutex_);
        if (!accepting_) return false;
        queue_.push_back(std::move(command));
    }
    wake();
    return true;
}

bool Pump::run(const std::function<void()> &task) {
    auto promise = std::make_shared<std::promise<void>>();
    std::future<void> done = promise->get_future();
    Command command;
    command.task = [&task, promise = std::move(promise)] {
        try {
            task();
            promise->set_value();
        } catch (...) {
            promise->set_exception(std::current_exception());
        }
    };
    if (!enqueue(std::move(command))) return false;
    try {
        done.get();
        return true;
    } catch (const std::future_error &) { // dropped unexecuted: the pump stopped
        return false;
    }
}

// ---- pump thread ----

template <class Work> bool Pump::attempt(const std::shared_ptr<Connection> &connection, Work &&work) noexcept {
    try {
        work();
        return true;
    } catch (const std::exception &error) {
        log_failure(error.what());
    } catch (...) {
        log_failure("unknown exception");
    }
    if (connection) fail(connection);
    return false;
}

void Pump::fail(const std::shared_ptr<Connection> &connection) noexcept {
    connection->failed = true;
    some_failed_ = true; // later: not while GNS calls, and when there is memory for it
}

void Pump::end_failed() noexcept {
    if (!some_failed_) return;
    some_failed_ = false;
    for (std::shared_ptr<Connection> &entry : by_native_) {
        if (!entry || !entry->failed) continue;
        const std::shared_ptr<Connection> connection = entry;
        try {
            push_end(connection, k_ESteamNetworkingConnectionState_ProblemDetectedLocally, GNS_END_INTERNAL_ERROR, failure_text);
            close_native(*connection, GNS_END_INTERNAL_ERROR, failure_text, false);
        } catch (...) {
            some_failed_ = true; // again in the next round
        }
    }
}

void Pump::stay_parked() {
    std::unique_lock lock(park_mutex_);
    if (park_requests_ == 0) return;
    parked_ = true;
    park_changed_.notify_all();
    park_changed_.wait(lock, [this] { return park_requests_ == 0; });
    parked_ = false;
}

void Pump::loop() {
    on_pump_thread = true;
    std::vector<Command> commands;
    for (;;) {
        stay_parked();
        const bool stopping = stopping_.load(); // before the queue is taken: what was queued before the stop is carried out
        wake_pending_.store(false);
        {
            std::lock_guard lock(queue_mutex_);
            commands.swap(queue_);
        }
        const bool pending = execute(commands);
        commands.clear();
        if (commands.capacity() > kept_commands) commands.shrink_to_fit(); // after a burst
        const bool whole = refill_memory_reserve();
        const bool soon = stopping || !lingering_.empty() || some_failed_ || !whole;
        poll(pending || !to_signal_.empty() ? 0 : soon ? lingering_poll_ms : idle_poll_ms);
        note_histories();
        settle_lingering();
        end_failed();
        if (stopping && (lingering_.empty() || now_us() >= stop_deadline_us_.load())) break;
    }
    shut_down();
    set_alive(false);
}

bool Pump::execute(std::vector<Command> &commands) {
    bool pending = false;
    size_t sent = 0; // up to here they have been handed to GNS, or carried out
    for (size_t i = 0; i < commands.size(); ++i) {
        Command &command = commands[i];
        if (command.message) {
            pending = pending || command.connection->in_memory;
            continue;
        }
        pending = true;
        send(commands, sent, i);
        sent = i + 1;
        attempt(command.connection, [&] {
            if (command.close)
                close_native(*command.connection, command.close->reason, command.close->text.c_str(), command.close->linger);
            else
                command.task();
        });
    }
    send(commands, sent, commands.size());
    return pending;
}

void Pump::send(std::vector<Command> &commands, size_t begin, size_t end) {
    Command *batch[send_batch];
    size_t count = 0;
    for (; begin < end; ++begin) {
        if (commands[begin].connection->native.load(std::memory_order_relaxed) == k_HSteamNetConnection_Invalid) continue; // it has ended
        batch[count++] = &commands[begin];
        if (count < send_batch) continue;
        send_some(batch, count);
        count = 0;
    }
    send_some(batch, count);
}

void Pump::send_some(Command **batch, size_t count) {
    // GNS skips the rest of a connection's messages after one that it refuses; they get another turn, before any later one.
    while (count > 0) {
        SteamNetworkingMessage_t *messages[send_batch];
        int64 results[send_batch];
        for (size_t i = 0; i < count; ++i) {
            messages[i] = batch[i]->message.get();
            messages[i]->m_conn = batch[i]->connection->native.load(std::memory_order_relaxed);
        }
        SteamNetworkingSockets()->SendMessages(static_cast<int>(count), messages, results, false);
        const Connection *over[send_batch];
        size_t over_count = 0, again = 0;
        for (size_t i = 0; i < count; ++i) {
            Command &command = *batch[i];
            if (!messages[i]) {
                (void)command.message.release(); // GNS's now
            } else if (results[i] == 0) {
                batch[again++] = &command;
            } else if (results[i] == -k_EResultNoConnection) {
                over[over_count++] = command.connection.get(); // its end is about to be told
            } else {
                attempt(command.connection, [&] {
                    Event event;
                    event.kind = GNS_EVENT_SEND_FAILED;
                    event.code = static_cast<int32_t>(results[i]);
                    event.number = command.number;
                    event.time_us = now_us();
                    event.connection = command.connection;
                    signal_later(push(*command.connection, std::move(event)));
                });
            }
        }
        const auto is_over = [&](const Command *command) {
            return std::find(over, over + over_count, command->connection.get()) != over + over_count;
        };
        count = static_cast<size_t>(std::remove_if(batch, batch + again, is_over) - batch);
    }
}

void Pump::poll(int timeout_ms) {
    if (timeout_ms > 0 && !noted_.empty()) // GNS waits in whole milliseconds
        timeout_ms = static_cast<int>(std::clamp<int64_t>((next_note_us() - now_us() + 999) / 1000, 0, timeout_ms));
    SteamNetworkingSockets_Poll(timeout_ms);
    SteamNetworkingSockets()->RunCallbacks();
    receive_messages();
    settle_pings();
    settle_drained();
    signal_mailboxes();
}

void Pump::receive_messages() {
    SteamNetworkingMessage_t *messages[receive_batch];
    for (int count = receive_batch; count == receive_batch;) {
        count = SteamNetworkingSockets()->ReceiveMessagesOnPollGroup(poll_group_, messages, receive_batch);
        for (int i = 0; i < count; ++i) deliver(messages[i]);
    }
}

void Pump::receive_rest(const std::shared_ptr<Connection> &connection, HSteamNetConnection native) {
    SteamNetworkingMessage_t *messages[receive_batch];
    for (int count = receive_batch; count == receive_batch && connection->native.load() == native;) {
        count = SteamNetworkingSockets()->ReceiveMessagesOnConnection(native, messages, receive_batch);
        for (int i = 0; i < count; ++i) deliver(messages[i]);
    }
}

void Pump::deliver(SteamNetworkingMessage_t *received) noexcept {
    MessagePtr message(received);
    const std::shared_ptr<Connection> connection = find(message->m_conn);
    if (!connection || connection->failed) return; // after a message that was lost none may follow
    attempt(connection, [&] { deliver(connection, std::move(message)); });
}

void Pump::deliver(const std::shared_ptr<Connection> &connection, MessagePtr message) {
    Event event;
    event.kind = GNS_EVENT_MESSAGE;
    event.number = message->m_nMessageNumber;
    event.flags = static_cast<uint16_t>(message->m_nFlags & k_nSteamNetworkingSend_Reliable);
    if (connection->framed_receives.on()) {
        if (const auto taken = connection->framed_receives.take(*message)) {
            event.kind = taken->due ? GNS_EVENT_DUE_DATA : GNS_EVENT_DATA;
            event.number = taken->number;
            event.prefix = taken->prefix;
            event.flags = taken->reliable ? GNS_SEND_RELIABLE : 0;
        }
    }
    const int64_t size = message->m_cbSize - event.prefix;
    const int64_t waiting = connection->recv_messages.load(std::memory_order_relaxed);
    // Of a session: as the network may, and so that nobody's turn comes late because one peer floods its reader.
    const bool reliable = event.flags & GNS_SEND_RELIABLE || event.kind == GNS_EVENT_DUE_DATA;
    if (!reliable && connection->framed_receives.on() && waiting >= max_waiting_unreliable) return;
    if (waiting >= connection->recv_messages_limit.load(std::memory_order_relaxed) ||
        (waiting > 0 && connection->recv_bytes.load(std::memory_order_relaxed) + size >
                            connection->recv_bytes_limit.load(std::memory_order_relaxed))) {
        overflow(connection);
        return;
    }
    event.connection = connection;
    event.message = std::move(message);
    connection->recv_messages.fetch_add(1, std::memory_order_relaxed);
    connection->recv_bytes.fetch_add(size, std::memory_order_relaxed);
    signal_later(push(*connection, std::move(event)));
}

void Pump::overflow(const std::shared_ptr<Connection> &connection) {
    constexpr const char *text = "the reader was too slow: its receive queue is full";
    push_end(connection, k_ESteamNetworkingConnectionState_ProblemDetectedLocally, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED, text);
    close_native(*connection, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED, text, false);
}

// GNS calls this, and is compiled without exceptions: none may leave.
void Pump::on_status_changed(const SteamNetConnectionStatusChangedCallback_t &change) noexcept {
    if (const std::shared_ptr<Connection> connection = find(change.m_hConn)) {
        attempt(connection, [&] { status_changed(connection, change); });
        return;
    }
    if (change.m_eOldState != k_ESteamNetworkingConnectionState_None ||
        change.m_info.m_eState != k_ESteamNetworkingConnectionState_Connecting || !change.m_info.m_hListenSocket)
        return; // the echo of a close of ours
    attempt(nullptr, [&] { accept_inbound(change); });
}

void Pump::status_changed(const std::shared_ptr<Connection> &connection, const SteamNetConnectionStatusChangedCallback_t &change) {
    const int32_t state = change.m_info.m_eState;
    const gns_connection_info info = to_info(change.m_info, connection->listen_socket);
    if (!is_over(state)) {
        Event event;
        event.kind = GNS_EVENT_STATUS;
        event.old_state = change.m_eOldState;
        event.new_state = state;
        event.time_us = now_us();
        event.connection = connection;
        event.info = copy(info);
        std::shared_ptr<Mailbox> mailbox;
        {
            std::lock_guard lock(connection->end_mutex);
            if (connection->ended) return;
            connection->state.store(state);
            connection->last_info = info;
        }
        signal_later(push(*connection, std::move(event)));
        // A client with nothing to say says nothing for ten seconds, and would pass for a stranger: this it answers at once.
        const auto socket = state == k_ESteamNetworkingConnectionState_Connected
                                ? runtime().listen_sockets.find(connection->listen_socket)
                                : nullptr;
        if (socket && socket->admission) send_ping(change.m_hConn);
        return;
    }
    receive_rest(connection, change.m_hConn);
    SteamNetConnectionRealTimeStatus_t status;
    if (SteamNetworkingSockets()->GetConnectionRealTimeStatus(change.m_hConn, &status, 0, nullptr) == k_EResultOK) {
        std::lock_guard lock(connection->end_mutex);
        connection->last_status = to_status(status);
    }
    push_end(connection, info);
    // Everything is in the mailbox by now, so GNS's own part can go: forgotten, it would leak.
    close_native(*connection, 0, nullptr, false);
}

void Pump::accept_inbound(const SteamNetConnectionStatusChangedCallback_t &change) {
    ISteamNetworkingSockets *const sockets = SteamNetworkingSockets();
    const std::shared_ptr<ListenSocket> socket = find_listen_socket(change.m_info.m_hListenSocket);
    if (!socket) {
        sockets->CloseConnection(change.m_hConn, GNS_END_GOING_AWAY, "the listen socket is closed", false);
        return;
    }
    std::shared_ptr<Connection> connection;
    try {
        connection = std::make_shared<Connection>();
    } catch (...) {
        sockets->CloseConnection(change.m_hConn, GNS_END_INTERNAL_ERROR, failure_text, false);
        throw;
    }
    connection->inbound = true;
    connection->listen_socket = socket->handle;
    connection->mailbox = socket->mailbox;
    connection->last_info = to_info(change.m_info, socket->handle);
    adopt(connection, change.m_hConn);
    apply_limits(*connection, socket->limits);
    try {
        Event event;
        event.kind = GNS_EVENT_STATUS;
        event.old_state = k_ESteamNetworkingConnectionState_None;
        event.new_state = k_ESteamNetworkingConnectionState_Connecting;
        event.time_us = now_us();
        event.connection = connection;
        event.info = copy(connection->last_info);
        signal_later(push(*connection, std::move(event)));
    } catch (...) { // nobody has heard of it
        close_native(*connection, GNS_END_INTERNAL_ERROR, failure_text, false);
        runtime().connections.remove(connection->handle);
        throw;
    }
}

void Pump::adopt(const std::shared_ptr<Connection> &connection, HSteamNetConnection native) {
    SteamNetworkingSockets()->SetConnectionPollGroup(native, poll_group_);
    SteamNetConnectionInfo_t info;
    if (SteamNetworkingSockets()->GetConnectionInfo(native, &info)) {
        connection->last_info = to_info(info, connection->listen_socket);
        connection->state.store(info.m_eState);
    }
    refresh_send_limits(*connection, native);
    try {
        runtime().connections.insert(connection);
    } catch (...) { // nobody has heard of it
        SteamNetworkingSockets()->CloseConnection(native, GNS_END_INTERNAL_ERROR, failure_text, false);
        throw;
    }
    connection->native.store(native);
    by_native_[native & 0xFFFF] = connection;
}

void Pump::close_native(Connection &connection, int32_t reason, const char *text, bool linger) {
    const HSteamNetConnection native = connection.native.exchange(k_HSteamNetConnection_Invalid);
    if (native == k_HSteamNetConnection_Invalid) return;
    if (linger && connection.account->messages.load() > 0) {
        const int64_t timeout_ms = native_int(k_ESteamNetworkingConfig_TimeoutConnected, native);
        attempt(nullptr, [&] { // without the entry it lingers all the same, but nobody waits for it
            lingering_.push_back({connection.listen_socket, connection.account, now_us() + timeout_ms * 1000 + goodbye_us, 0});
            connection.account->references.fetch_add(1);
        });
    }
    std::shared_ptr<Connection> keep = std::exchange(by_native_[native & 0xFFFF], nullptr);
    SteamNetworkingSockets()->CloseConnection(native, reason, text, linger);
    if (connection.inbound) return;
    if (closed_.size() == max_closed) closed_.pop_front();
    closed_.push_back(native);
}

bool Pump::drop_closed() {
    bool dropped = false;
    {
        const GlobalLock lock;
        for (; !dropped && !closed_.empty(); closed_.pop_front()) dropped = drop_waiting(closed_.front());
        bury_dropped();
    }
    free_closed_ports();
    return dropped;
}

void Pump::close_listen_socket(const std::shared_ptr<ListenSocket> &socket, int32_t reason, const std::string &text, bool linger) {
    for (const std::shared_ptr<Connection> &entry : by_native_) {
        const std::shared_ptr<Connection> connection = entry;
        if (!connection || connection->listen_socket != socket->handle) continue;
        attempt(connection, [&] {
            connection->discard.store(true);
            push_end(connection, k_ESteamNetworkingConnectionState_None, reason, text);
            runtime().connections.remove(connection->handle);
            int32_t said = reason;
            std::string words = text;
            said_at_end(*connection, &said, &words); // a gns_close may have come first, its command still in the queue
            close_native(*connection, said, words.c_str(), linger);
        });
    }
    end_failed(); // before their listen socket goes
    closed_listen_sockets_.push_back({socket->handle, socket->native});
    listen_sockets_.erase(std::find(listen_sockets_.begin(), listen_sockets_.end(), socket));
    settle_lingering();
}

void Pump::watch_drain(const std::shared_ptr<Connection> &connection) {
    {
        std::lock_guard lock(queue_mutex_);
        if (connection->drain_asked.bytes >= 0) connection->drain = std::exchange(connection->drain_asked, {});
        connection->drain_queued = false;
    }
    connection->account->watched.store(true);
    if (std::find(watched_.begin(), watched_.end(), connection) == watched_.end()) watched_.push_back(connection);
}

void Pump::settle_drained() {
    const auto settled = [this](const std::shared_ptr<Connection> &connection) {
        if (connection->native.load() == k_HSteamNetConnection_Invalid) return true;
        if (connection->drain.bytes >= 0 && is_drained(*connection->account, connection->drain)) {
            connection->drain = {};
            attempt(connection, [&] {
                Event event;
                event.kind = GNS_EVENT_DRAINED;
                event.time_us = now_us();
                event.connection = connection;
                signal_later(push(*connection, std::move(event)));
            });
        }
        const bool waiters = connection->drain_waiters.load() > 0;
        if (waiters) {
            std::lock_guard lock(connection->end_mutex); // who looks just now waits by then
            connection->changed.notify_all();
        }
        const bool watched = waiters || connection->drain.bytes >= 0;
        connection->account->watched.store(watched);
        return !watched;
    };
    watched_.erase(std::remove_if(watched_.begin(), watched_.end(), settled), watched_.end());
}

void Pump::ping(const std::shared_ptr<Connection> &connection) {
    const auto same = [&connection](const Ping &ping) { return ping.connection == connection; };
    if (std::any_of(pings_.begin(), pings_.end(), same)) return;
    pings_.push_back({connection, 0, 0});
    settle_pings();
}

void Pump::settle_pings() {
    if (pings_.empty()) return;
    const int64_t now = now_us();
    const auto settled = [this, now](Ping &ping) {
        Connection &connection = *ping.connection;
        const HSteamNetConnection native = connection.native.load();
        if (native == k_HSteamNetConnection_Invalid) return true;
        const PingState state = ping.packet == 0 ? PingState::lost : ping_state(native, ping.packet);
        if (state == PingState::lost) {
            ping.packet = connection.in_memory ? 0 : send_ping(native);
            ping.sent_us = now;
        }
        if (state != PingState::answered && !connection.in_memory) return false;
        Event event;
        event.kind = GNS_EVENT_PONG;
        event.number = now - ping.sent_us;
        event.time_us = now;
        event.connection = ping.connection;
        {
            std::lock_guard lock(connection.end_mutex);
            ++connection.pongs;
            connection.round_trip_us = event.number;
            connection.changed.notify_all();
        }
        attempt(ping.connection, [&] { signal_later(push(connection, std::move(event))); });
        return true;
    };
    pings_.erase(std::remove_if(pings_.begin(), pings_.end(), settled), pings_.end());
}

void Pump::keep_history(const std::shared_ptr<Connection> &connection, std::shared_ptr<History> history) {
    noted_.erase(std::remove(noted_.begin(), noted_.end(), connection), noted_.end());
    if (history && connection->native.load() != k_HSteamNetConnection_Invalid) noted_.push_back(connection);
    std::lock_guard lock(connection->end_mutex);
    connection->history = std::move(history);
}

void Pump::note_histories() {
    if (noted_.empty()) return;
    const int64_t now = now_us();
    const auto over = [now](const std::shared_ptr<Connection> &connection) {
        History &history = *connection->history; // only the pump changes it
        if (now < history.due_us()) return false;
        SteamNetConnectionRealTimeStatus_t status;
        if (SteamNetworkingSockets()->GetConnectionRealTimeStatus(connection->native.load(), &status, 0, nullptr) != k_EResultOK)
            return true;
        history.note({now, to_status(status)});
        return false;
    };
    noted_.erase(std::remove_if(noted_.begin(), noted_.end(), over), noted_.end());
}

int64_t Pump::next_note_us() const {
    int64_t next = std::numeric_limits<int64_t>::max();
    for (const auto &connection : noted_) next = std::min(next, connection->history->due_us());
    return next;
}

void Pump::settle_lingering() {
    if (lingering_.empty() && closed_listen_sockets_.empty()) return;
    const int64_t now = now_us();
    const auto done = [now](Lingering &entry) {
        if (entry.flushed_us == 0 && entry.account->messages.load() == 0) entry.flushed_us = now;
        if (now < entry.give_up_us && (entry.flushed_us == 0 || now < entry.flushed_us + goodbye_us)) return false;
        release(entry.account);
        return true;
    };
    lingering_.erase(std::remove_if(lingering_.begin(), lingering_.end(), done), lingering_.end());
    // GNS destroys a listen socket's connections with it, lingering ones too.
    const auto free_to_go = [this](const ClosedListenSocket &socket) {
        for (const Lingering &entry : lingering_)
            if (entry.listen_socket == socket.handle) return false;
        SteamNetworkingSockets()->CloseListenSocket(socket.native);
        set_admission(socket.native, nullptr);
        free_closed_ports();
        return true;
    };
    closed_listen_sockets_.erase(
        std::remove_if(closed_listen_sockets_.begin(), closed_listen_sockets_.end(), free_to_go), closed_listen_sockets_.end());
}

void Pump::shut_down() {
    for (std::shared_ptr<Connection> &entry : by_native_) {
        const std::shared_ptr<Connection> connection = std::exchange(entry, nullptr);
        if (!connection) continue;
        attempt(nullptr, [&] { push_end(connection, k_ESteamNetworkingConnectionState_None, GNS_END_SHUTDOWN, shutdown_text); });
        connection->native.store(k_HSteamNetConnection_Invalid);
    }
    attempt(nullptr, [] {
        for (const auto &connection : runtime().connections.all()) runtime().connections.remove(connection->handle);
    });
    for (Lingering &entry : lingering_) release(entry.account);
    lingering_.clear();
    watched_.clear();
    pings_.clear();
    noted_.clear();
    for (const auto &socket : listen_sockets_) set_admission(socket->native, nullptr);
    for (const ClosedListenSocket &socket : closed_listen_sockets_) set_admission(socket.native, nullptr);
    listen_sockets_.clear();
    closed_listen_sockets_.clear();
    closed_.clear();
    SteamNetworkingSockets()->DestroyPollGroup(poll_group_);
    std::vector<Command> dropped; // tells those who wait for a task
    std::lock_guard lock(queue_mutex_);
    dropped.swap(queue_);
}

void Pump::signal_later(std::shared_ptr<Mailbox> mailbox) noexcept {
    if (!mailbox) return;
    if (to_signal_.size() == to_signal_.capacity()) signal_mailboxes(); // never grows: this must not need memory
    to_signal_.push_back(std::move(mailbox));
}

void Pump::signal_mailboxes() noexcept {
    for (const auto &mailbox : to_signal_) mailbox->signal();
    to_signal_.clear();
}

std::shared_ptr<Connection> Pump::find(HSteamNetConnection native) const {
    const std::shared_ptr<Connection> &entry = by_native_[native & 0xFFFF];
    return entry && entry->native.load(std::memory_order_relaxed) == native ? entry : nullptr;
}

std::shared_ptr<ListenSocket> Pump::find_listen_socket(HSteamListenSocket native) const {
    for (const auto &socket : listen_sockets_)
        if (socket->native == native) return socket;
    return nullptr;
}

} // namespace gns_core
