// A relay for the datagrams of one client, which remembers all of them.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core_api.hpp"

class Tap {
public:
    explicit Tap(const gns_address &server); // on loopback, IPv4
    ~Tap();
    Tap(const Tap &) = delete;
    Tap &operator=(const Tap &) = delete;

    gns_address address; // for the client
    bool has_seen(const std::string &bytes);

private:
    void relay();

    int fd_, stop_[2];
    uint16_t server_port_;
    std::mutex mutex_;
    std::vector<std::string> seen_;
    std::thread thread_;
};
