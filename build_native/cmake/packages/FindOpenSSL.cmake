# Found by GNS's find_package(OpenSSL) in vendored mode; OpenSSL::Crypto comes from ../openssl.
set(OpenSSL_FOUND TRUE)
