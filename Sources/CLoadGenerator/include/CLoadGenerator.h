// What the load generator needs of Linux beyond CLinux: many client sockets, a precise timer, /proc. And OpenSSL's own
// headers: its client side has nothing in common with the server's TLS.
//
// Every function that can fail returns the negated errno.
#ifndef CLOADGENERATOR_H
#define CLOADGENERATOR_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CLinux.h"

// A non-blocking, close-on-exec socket that is connected (datagram) or starts to connect (stream) to `address`.
// With a source the kernel chooses the port as late as possible, so that one port serves several destinations.
int cload_connect(const struct clinux_address *address, const struct clinux_address *source, bool datagram);

// A timer that is readable when it fires; nanoseconds of CLOCK_MONOTONIC, 0 disarms it.
int cload_timer_create(void);
int cload_timer_set(int timer, int64_t at);
void cload_timer_drain(int timer);

// Nanoseconds of processor time that this process used so far.
int64_t cload_own_cpu(void);
// The limits of descriptors.
int64_t cload_descriptor_limit(bool hard);
// Ticks per second of the times in /proc.
int64_t cload_ticks_per_second(void);
bool cload_is_terminal(int descriptor);

// Reads up to `capacity` bytes of a file; returns their number.
ptrdiff_t cload_read_file(const char *path, void *buffer, size_t capacity);
// Replaces a file.
int cload_write_file(const char *path, const void *buffer, size_t length);
// Calls `visit` with each entry of a directory.
int cload_list(const char *path, void (*visit)(void *context, const char *name), void *context);
// Starts `command` with /bin/sh without waiting for it; returns the process id.
int cload_shell(const char *command);
// Local wall clock as "2026-11-23 20:42:05".
void cload_local_time(char text[20]);

// Whether both buffers hold the same bytes.
bool cload_equal(const void *left, const void *right, size_t length);
// The natural logarithm.
double cload_logarithm(double number);

#endif
