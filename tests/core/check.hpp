// A small test runner: TEST(group, name) registers a test, CHECK fails it, main() in main.cpp runs a group.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Test {
    const char *group;
    const char *name;
    void (*body)();
};

std::vector<Test> &all_tests();

struct Registration {
    Registration(const char *group, const char *name, void (*body)()) { all_tests().push_back({group, name, body}); }
};

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] inline void fail_test(const char *file, int line, const std::string &what) {
    throw Failure(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

template <class A, class B>
void check_equal(const A &actual, const B &expected, const char *what, const char *file, int line) {
    if (actual == expected) return;
    std::ostringstream text;
    text << what << " is " << actual << ", expected " << expected;
    fail_test(file, line, text.str());
}

#define TEST(group, name)                                                                                              \
    static void group##_##name();                                                                                      \
    static const Registration registration_##group##_##name(#group, #name, group##_##name);                            \
    static void group##_##name()

#define FAIL(what) fail_test(__FILE__, __LINE__, what)
#define CHECK(condition) ((condition) ? void() : FAIL(#condition))
#define CHECK_EQUAL(actual, expected) check_equal(actual, expected, #actual, __FILE__, __LINE__)
