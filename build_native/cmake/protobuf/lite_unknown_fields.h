// Included before steamnetworkingsockets_certs.cpp, which reports the unknown fields of a message in the text of one
// error. The full runtime has a class for them, the lite runtime a std::string with their bytes. So the count becomes an
// int that is positive when there are any, and the number of the first field its first byte, the tag.
#include <steamnetworkingsockets_messages_certs.pb.h>
#define field_count() compare("")
#define field(index) substr(index, 1)
#define number() front()
