// The measurements of the C++ peers, like those in common.py.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

inline double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

inline void say(const char *what, long long a = 0, long long b = 0) {
    std::printf(what, a, b);
    std::fflush(stdout);
}

// Round trips, one at a time. The first tenth, for warming up, does not count; then it waits for a line.
template <typename Trip> void measure_round_trips(int count, Trip trip) {
    std::vector<double> times;
    double cpu = 0;
    for (int turn = -(count + 9) / 10; turn < count; ++turn) {
        const double begin = seconds();
        trip();
        if (turn >= 0) times.push_back((seconds() - begin) * 1e6);
        if (turn != -1) continue;
        say("ready\n");
        while (std::getchar() != '\n') {
        }
        cpu = cpu_seconds();
    }
    cpu = cpu_seconds() - cpu;
    std::sort(times.begin(), times.end());
    const auto at = [&](double q) { return times[static_cast<size_t>(q * static_cast<double>(times.size()))]; };
    std::printf("{\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"cpu\": %.6f}\n", at(.5), at(.99), at(.999), cpu);
    std::fflush(stdout);
}

// A server's answers to one client, whose first message says what to do with the others: E echoes
// them, S counts them until one of a single byte, F, asks for the sum.
class Service {
public:
    enum class Action { none, echo, sum };
    Action take(const void *data, size_t size) {
        if (mode_ == 0) {
            *this = Service();
            mode_ = *static_cast<const char *>(data);
            return Action::none;
        }
        if (mode_ == 'E') return Action::echo;
        if (size == 1) return Action::sum;
        ++count_;
        return Action::none;
    }
    // The sum, for the sender: messages, seconds, processor time.
    std::vector<double> sum() const { return {static_cast<double>(count_), seconds() - begin_, cpu_seconds() - cpu_}; }

private:
    char mode_ = 0;
    uint64_t count_ = 0;
    double begin_ = seconds(), cpu_ = cpu_seconds();
};

inline void report_one_way(const double *sum, double sender_cpu) {
    std::printf("{\"received\": %.0f, \"seconds\": %.6f, \"receiver_cpu\": %.6f, \"sender_cpu\": %.6f}\n", sum[0],
                sum[1], sum[2], sender_cpu);
    std::fflush(stdout);
}
