/* A part of gns_core.h, whose rules hold here, too: certificates, and what peers must prove.

   A certificate is what GNS calls one: CMsgSteamDatagramCertificateSigned of its .proto file, serialized. It binds an
   identity to an ed25519 key; one without an identity is a root, if it has signed itself, or an intermediate. Private
   keys are the seeds of 32 bytes. All of this is forgotten by gns_stop; it concerns later handshakes, not those that
   were.

   Each handshake is judged on the thread that serves GNS, with GNS's global lock and one connection's held (4 in the
   lock order), which takes no lock but that connection's end (5). What it is judged by belongs to the serving thread.
 */

typedef struct {
    uint64_t key_id, issuer_key_id; /* the first 8 bytes of the SHA-256 of a public key, little endian */
    int64_t created, expires;       /* seconds since 1970; created: 0 if it does not say */
    uint8_t key[32];
    char identity[128];
} gns_certificate;

/* Trusts these roots and intermediates, and no others. Errors, after which all is as before: CERTIFICATE (the text says
   which one, from 0: not a certificate, one of an identity, not signed by itself or by another one of them). An expired
   one is taken, but proves nothing. */
int32_t gns_trust_set(const void *const *certificates, const int32_t *sizes, int32_t count);
/* Revokes these keys, and no others: such a peer is refused, whatever else is demanded, and nothing that such a key has
   signed is trusted. What is connected stays: see gns_connection_info's peer_key. */
int32_t gns_revoke_set(const uint64_t *key_ids, int32_t count);
/* Writes a request for a certificate (CMsgSteamDatagramCertificateRequest: key and, if there is one, identity) and
   returns its size. Makes this process's private key if there is none. Errors: BUFFER_TOO_SMALL. */
int32_t gns_certificate_request(void *request, int32_t capacity);
/* Presents this certificate from now on. key: its private key, or NULL for the one that was requested or is in use.
   Gives this process the certificate's identity if it has none. The private key is never sent. Errors: CERTIFICATE,
   with nothing changed (the text says what: not trusted here, expired, another identity or app id, the key does not
   fit, ...). */
int32_t gns_certificate_set(const void *certificate, int32_t size, const void *key, int32_t key_size);
/* Both of these, and what all peers must prove, in one step: no handshake sees half of it. */
typedef struct {
    const void *const *trust; /* see gns_trust_set */
    const int32_t *trust_sizes;
    const void *certificate, *key;         /* see gns_certificate_set */
    const gns_peer_policy *policy;         /* see gns_peer_policy_set; NULL: as it is */
    int32_t trust_count, certificate_size; /* -1: as it is */
    int32_t key_size, reserved;
} gns_authentication;
/* The certificate must be trusted by what is trusted then. Errors, after which all is as before: those of the three. */
int32_t gns_authentication_set(const gns_authentication *wanted);
/* Describes it: 1, or 0 if there is none. */
int32_t gns_certificate_info(gns_certificate *certificate);
/* Sets what later peers must prove: GNS_SCOPE_GLOBAL (object 0) or GNS_SCOPE_LISTEN_SOCKET (policy NULL: as the process
   wants). Errors: WRONG_SCOPE, BAD_IDENTITY, BAD_TEXT, BAD_VALUE. */
int32_t gns_peer_policy_set(int32_t scope, uint64_t object, const gns_peer_policy *policy);
