#include "Tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { name_size = 16, key_size = 32, kept_epochs = 2 };

struct epoch_keys {
  uint64_t epoch;
  uint8_t name[name_size];
  uint8_t cipher[key_size];
  uint8_t mac[key_size];
};

struct copenssl_tickets {
  // Newest first.
  struct epoch_keys epochs[kept_epochs];
  int count;
};

struct session_judge {
  bool (*judge)(SSL_CTX *context, X509 *certificate, void *argument);
  void *argument;
};

static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static int slot = -1;
static int judge_slot = -1;

static void free_judge(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)parent, (void)data, (void)index, (void)number, (void)argument;
  OPENSSL_free(pointer);
}

static void make_slots(void) {
  slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  judge_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_judge);
}

struct copenssl_tickets *copenssl_tickets_make(void) {
  uint8_t keys[80];
  // A page of its own, so that it can be kept out of core dumps.
  struct copenssl_tickets *tickets =
      mmap(NULL, sizeof *tickets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (tickets == MAP_FAILED) return NULL;
  if (madvise(tickets, sizeof *tickets, MADV_DONTDUMP) != 0 || RAND_priv_bytes(keys, sizeof keys) != 1) {
    munmap(tickets, sizeof *tickets);
    return NULL;
  }
  mlock(tickets, sizeof *tickets);
  copenssl_tickets_add(tickets, 0, keys);
  OPENSSL_cleanse(keys, sizeof keys);
  return tickets;
}

void copenssl_tickets_free(struct copenssl_tickets *tickets) {
  if (tickets == NULL) return;
  OPENSSL_cleanse(tickets, sizeof *tickets);
  munmap(tickets, sizeof *tickets);
}

void copenssl_tickets_add(struct copenssl_tickets *tickets, uint64_t epoch, const uint8_t *keys) {
  struct epoch_keys made;
  made.epoch = epoch;
  memcpy(made.name, keys, name_size);
  memcpy(made.cipher, keys + name_size, key_size);
  memcpy(made.mac, keys + name_size + key_size, key_size);
  int place = 0;
  while (place < tickets->count && tickets->epochs[place].epoch > epoch) place++;
  bool is_known = place < tickets->count && tickets->epochs[place].epoch == epoch;
  if (place < kept_epochs && !is_known) {
    int last = tickets->count < kept_epochs ? tickets->count : kept_epochs - 1;
    for (int index = last; index > place; index--) tickets->epochs[index] = tickets->epochs[index - 1];
    if (tickets->count < kept_epochs) tickets->count++;
  }
  if (place < kept_epochs) tickets->epochs[place] = made;
  OPENSSL_cleanse(&made, sizeof made);
}

static int use(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const struct epoch_keys *keys, const uint8_t *start, int seals) {
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)keys->mac, key_size),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0), OSSL_PARAM_construct_end()};
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher, start, seals) &&
         EVP_MAC_CTX_set_params(mac, parameters);
}

// 1: done, 2: done, and the client is to get a new ticket, 0: not ours, so a full handshake; negative: failed.
static int callback(SSL *connection, unsigned char *name, unsigned char *start, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int seals) {
  const struct copenssl_tickets *tickets = slot < 0 ? NULL : SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), slot);
  if (tickets == NULL || tickets->count == 0) return seals ? -1 : 0;
  const struct epoch_keys *newest = &tickets->epochs[0];
  if (seals) {
    memcpy(name, newest->name, name_size);
    return RAND_bytes(start, 16) == 1 && use(cipher, mac, newest, start, 1) ? 1 : -1;
  }
  for (int index = 0; index < tickets->count; index++) {
    const struct epoch_keys *keys = &tickets->epochs[index];
    if (CRYPTO_memcmp(name, keys->name, name_size) != 0) continue;
    if (!use(cipher, mac, keys, start, 0)) return -1;
    return keys == newest ? 1 : 2;
  }
  return 0;
}

int copenssl_use_tickets(SSL_CTX *context, struct copenssl_tickets *tickets) {
  pthread_once(&slot_once, make_slots);
  return slot >= 0 && SSL_CTX_set_ex_data(context, slot, tickets) &&
         SSL_CTX_set_tlsext_ticket_key_evp_cb(context, callback);
}

static SSL_TICKET_RETURN opened(SSL *connection, SSL_SESSION *session, const unsigned char *name, size_t length,
                                SSL_TICKET_STATUS status, void *argument) {
  (void)name, (void)length;
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  struct session_judge *judge = argument;
  X509 *peer = SSL_SESSION_get0_peer(session);
  if (peer != NULL && !judge->judge(SSL_get_SSL_CTX(connection), peer, judge->argument)) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

int copenssl_set_session_judge(SSL_CTX *context, bool (*judge)(SSL_CTX *context, X509 *certificate, void *argument),
                               void *argument) {
  pthread_once(&slot_once, make_slots);
  struct session_judge *kept = judge_slot < 0 ? NULL : OPENSSL_malloc(sizeof *kept);
  if (kept == NULL) return 0;
  *kept = (struct session_judge){judge, argument};
  OPENSSL_free(SSL_CTX_get_ex_data(context, judge_slot));
  return SSL_CTX_set_ex_data(context, judge_slot, kept) && SSL_CTX_set_session_ticket_cb(context, NULL, opened, kept);
}

void copenssl_forbid_tickets(SSL_CTX *context) {
  // OpenSSL asks the context that a handshake begins with how tickets are sealed; the one that the server name chooses may
  // have some, and without this they would be sealed with a key that never changes.
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, callback);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}
