// As Windows.h.
#include <shlobj.h>
