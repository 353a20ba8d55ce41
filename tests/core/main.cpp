// core_tests GROUP [NAME]: runs a group's tests, or one, each between a gns_start and a gns_stop (--play: see p2p.hpp).
// A test fails by a CHECK, by lasting too long, and by any line of GNS's log at level Bug or Error that it did not
// announce.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "check.hpp"
#include "core.hpp"
#include "p2p.hpp"

namespace {

constexpr unsigned longest_test_s = 60;
const char *running = "";

void on_alarm(int) {
    const char text[] = "\nno end in sight: ";
    (void)!::write(STDERR_FILENO, text, sizeof text - 1);
    (void)!::write(STDERR_FILENO, running, std::strlen(running));
    (void)!::write(STDERR_FILENO, "\n", 1);
    std::abort(); // a core dump or a sanitizer's report says where
}

bool run(const Test &test) {
    running = test.name;
    ::alarm(longest_test_s);
    const int64_t begin = gns_time_us();
    std::string problem;
    try {
        begin_test();
        test.body();
    } catch (const std::exception &error) {
        problem = error.what();
    }
    gns_stop(0);
    for (const std::string &line : unexpected_log_lines()) problem += "\n    logged by GNS: " + line;
    ::alarm(0);
    std::printf("%s %s.%s (%.2f s)%s%s\n", problem.empty() ? "ok  " : "FAIL", test.group, test.name,
                static_cast<double>(gns_time_us() - begin) / 1e6, problem.empty() ? "" : "\n    ", problem.c_str());
    std::fflush(stdout);
    return problem.empty();
}

} // namespace

std::vector<Test> &all_tests() {
    static std::vector<Test> tests;
    return tests;
}

int main(int argc, char **argv) {
    if (argc == 4 && std::strcmp(argv[1], "--play") == 0) return play(argv[2], std::atoi(argv[3]));
    std::signal(SIGALRM, on_alarm);
    int count = 0, failed = 0;
    for (const Test &test : all_tests()) {
        if (argc > 1 && std::strcmp(argv[1], test.group) != 0) continue;
        if (argc > 2 && std::strcmp(argv[2], test.name) != 0) continue;
        ++count;
        if (!run(test)) ++failed;
    }
    std::printf("%d tests, %d failed\n", count, failed);
    return count == 0 || failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
