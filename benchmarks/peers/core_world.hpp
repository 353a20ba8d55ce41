// A server with a fixed rate, and the players that load it.
#pragma once

#include <cstdint>

// as_it_comes: read whenever something has arrived, otherwise once per tick.
void serve_world(int players, int rate, int ticks, bool as_it_comes);
void play(uint16_t port, int players, int rate);
