#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/uio.h>

#include "COpenSSL.h"

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int place = -1;

static void take_place(void) { place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL); }

void copenssl_key_log_line(const SSL *connection, const char *line) {
  if (place < 0) return;
  // Kept as the number plus 1, for nothing is NULL.
  intptr_t number = (intptr_t)SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), place);
  if (number <= 0) return;
  // One call for the whole line, so that those of several processes don't mix. What can't be written is lost.
  struct iovec parts[] = {{(void *)line, strlen(line)}, {"\n", 1}};
  ssize_t written = writev((int)number - 1, parts, 2);
  (void)written;
}

int copenssl_set_key_log(SSL_CTX *context, int descriptor) {
  if (!CRYPTO_THREAD_run_once(&once, take_place) || place < 0) return 0;
  if (!SSL_CTX_set_ex_data(context, place, (void *)((intptr_t)descriptor + 1))) return 0;
  if (SSL_CTX_get_keylog_callback(context) == NULL) SSL_CTX_set_keylog_callback(context, copenssl_key_log_line);
  return 1;
}
