// SHA-256 of OpenSSL's libcrypto, which libhdf5-dev already brings along on Debian. (Apple platforms use CryptoKit.)
#pragma once
#include <openssl/evp.h>
#include <openssl/sha.h>
