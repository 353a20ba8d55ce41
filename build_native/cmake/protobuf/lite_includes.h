// Included before each C++ source of GNS: it uses these two, but leaves the including to protobuf's full headers.
#include <map>
#include <set>
