// The players are the same, whatever language the server is written in.
#include "core_world.hpp"

#include <algorithm>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>

#include "core_common.hpp"

namespace {

constexpr uint32_t input_size = 64, world_size = 200;

struct Player {
    char input[input_size];
    char world[world_size];
};

struct World {
    Mailbox mailbox;
    std::unordered_map<uint64_t, Player> players;
    int joined = 0;
    int64_t inputs = 0;

    void receive(double timeout) {
        do {
            const int32_t got = mailbox.receive(timeout < 0 ? -1 : static_cast<int64_t>(timeout * 1e6));
            for (int32_t i = 0; i < got; ++i) handle(mailbox.event(i));
            timeout = 0;
        } while (mailbox.batch.more);
    }
    void handle(const gns_event &event) {
        if (event.kind == GNS_EVENT_MESSAGE) {
            std::memcpy(players[event.connection].input, mailbox.data(event), std::min(event.size, input_size));
            ++inputs;
        } else if (event.kind == GNS_EVENT_STATUS && event.new_state == connecting) {
            check("accept", gns_accept(event.connection, 0));
            players[event.connection] = Player{};
        } else if (event.kind == GNS_EVENT_STATUS && event.new_state == connected) {
            ++joined;
        } else if (event.kind == GNS_EVENT_STATUS && players.erase(event.connection)) {
            die("a player has left", event.code);
        }
    }
    void tick() {
        for (const auto &[connection, player] : players)
            check("send", gns_send(connection, player.world, world_size, GNS_SEND_NO_NAGLE, 0));
    }
};

} // namespace

// A tick is late if its last message is queued after the next tick was due.
void serve_world(int players, int rate, int ticks, bool as_it_comes) {
    World world;
    world.mailbox.listen();
    while (world.joined < players) world.receive(-1);
    say("{\"joined\": %lld, \"reader\": %lld}\n", world.joined, gettid());
    if (rate == 0)
        for (;;) world.receive(-1);
    const double period = 1.0 / rate;
    double next = seconds() + period;
    int late = 0;
    for (int tick = -rate / 3; tick < ticks; ++tick, next += period) { // the first ones are a warm-up
        if (tick == 0) {
            say("begin\n");
            world.inputs = 0;
        }
        for (double wait; (wait = next - seconds()) > 0;) {
            if (as_it_comes)
                world.receive(wait);
            else
                std::this_thread::sleep_for(std::chrono::duration<double>(wait));
        }
        if (!as_it_comes) world.receive(0);
        world.tick();
        if (tick >= 0 && seconds() > next + period) ++late;
    }
    say("{\"late\": %lld, \"inputs\": %lld}\n", late, world.inputs);
    for (;;) world.receive(-1); // until it is killed
}

// Each player sends at a moment of its own within the period, in steps of a millisecond.
void play(uint16_t port, int players, int rate) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    Mailbox mailbox;
    std::vector<uint64_t> connections;
    for (int i = 0; i < players; ++i) connections.push_back(mailbox.connect(port));
    if (rate == 0)
        for (;;) mailbox.receive(-1);
    const char input[input_size] = {};
    const size_t slots = 1000 / static_cast<size_t>(rate);
    double next = seconds();
    for (size_t slot = 0;; slot = (slot + 1) % slots, next += 1.0 / rate / static_cast<double>(slots)) {
        double wait;
        do {
            wait = std::max(0.0, next - seconds());
            mailbox.receive(static_cast<int64_t>(wait * 1e6));
        } while (wait > 0);
        for (size_t i = slot; i < connections.size(); i += slots)
            check("send", gns_send(connections[i], input, input_size, GNS_SEND_NO_NAGLE, 0));
    }
}
