// GNS writes the name so; where file names are case-sensitive, mingw-w64's is in lower case.
#include <windows.h>
