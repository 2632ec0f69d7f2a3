#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct clinux_lookup {
  struct gaicb question;
  struct addrinfo hints;
  char *host;
};

struct clinux_lookup *clinux_lookup_start(const char *host) {
  struct clinux_lookup *lookup = calloc(1, sizeof *lookup);
  if (!lookup) return NULL;
  lookup->host = strdup(host);
  lookup->hints.ai_socktype = SOCK_STREAM;
  lookup->hints.ai_flags = AI_ADDRCONFIG;
  lookup->question.ar_name = lookup->host;
  lookup->question.ar_request = &lookup->hints;
  struct gaicb *questions[] = {&lookup->question};
  if (lookup->host && getaddrinfo_a(GAI_NOWAIT, questions, 1, NULL) == 0) return lookup;
  free(lookup->host);
  free(lookup);
  return NULL;
}

int clinux_lookup_poll(struct clinux_lookup *lookup, struct clinux_address *address) {
  int state = gai_error(&lookup->question);
  if (state == EAI_INPROGRESS) return 0;
  if (state != 0) return -1;
  for (struct addrinfo *found = lookup->question.ar_result; found; found = found->ai_next) {
    if (found->ai_family == AF_INET) {
      const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)found->ai_addr;
      *address = (struct clinux_address){0, ntohl(v4->sin_addr.s_addr), 0, 4};
      return 1;
    }
    if (found->ai_family == AF_INET6) {
      const uint8_t *octets = ((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr.s6_addr;
      *address = (struct clinux_address){0, 0, 0, 6};
      for (int i = 0; i < 8; i++) address->high = address->high << 8 | octets[i];
      for (int i = 8; i < 16; i++) address->low = address->low << 8 | octets[i];
      return 1;
    }
  }
  return -1;
}

bool clinux_lookup_end(struct clinux_lookup *lookup) {
  if (gai_error(&lookup->question) == EAI_INPROGRESS) gai_cancel(&lookup->question);
  if (gai_error(&lookup->question) == EAI_INPROGRESS) return false;
  if (lookup->question.ar_result) freeaddrinfo(lookup->question.ar_result);
  free(lookup->host);
  free(lookup);
  return true;
}
