// Linux calls that Swift cannot reach: variadic functions, macros, and what glibc shows under _GNU_SOURCE only.
//
// Every function that can fail returns the negated errno. No function keeps state, but for signal dispositions and
// limits of the process, and whether the log's reader has stopped.
#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- epoll

static const uint32_t clinux_event_readable = 0x001;
static const uint32_t clinux_event_writable = 0x004;
static const uint32_t clinux_event_error = 0x008;
static const uint32_t clinux_event_hangup = 0x010;

static const int clinux_epoll_add = 1;
static const int clinux_epoll_delete = 2;
static const int clinux_epoll_modify = 3;

struct clinux_event {
  uint64_t data;
  uint32_t events;
};

int clinux_epoll_create(void);
int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data);
// Waits at most `milliseconds` (-1: for ever). Returns the number of events, 0 also when a signal interrupted.
int clinux_epoll_wait(int epoll, struct clinux_event *events, int capacity, int milliseconds);

// ---- clocks and randomness

// CLOCK_MONOTONIC in nanoseconds.
int64_t clinux_monotonic(void);
// CLOCK_REALTIME in nanoseconds since 1970.
int64_t clinux_wall(void);
// Fills the buffer from the kernel's generator.
int clinux_random(void *buffer, size_t length);

// ---- sockets

// `family` is 4 or 6; an IPv4 address stands in the low 32 bits of `low`; the port is in host order.
struct clinux_address {
  uint64_t high;
  uint64_t low;
  uint16_t port;
  uint8_t family;
};

// All sockets that these return are non-blocking and close on exec.
int clinux_listen(const struct clinux_address *address, int backlog);
int clinux_datagram(const struct clinux_address *address, int receive_buffer);
// Starts to connect; `source` may be NULL. The outcome shows when the socket is writable: clinux_socket_error.
int clinux_connect(const struct clinux_address *address, const struct clinux_address *source);
int clinux_socket_error(int descriptor);
int clinux_accept(int listener, struct clinux_address *remote);
int clinux_local_address(int descriptor, struct clinux_address *address);
int clinux_remote_address(int descriptor, struct clinux_address *address);
// The addresses of this host's interfaces, their port 0; at most `capacity`. Returns how many.
int clinux_interface_addresses(struct clinux_address *addresses, int capacity);
int clinux_set_no_delay(int descriptor);
// Seconds of silence before the first probe, seconds between probes, unanswered probes that end the connection.
int clinux_set_keep_alive(int descriptor, int idle, int interval, int count);
int clinux_clear_keep_alive(int descriptor);
// Milliseconds that sent octets may stay unacknowledged; 0 leaves it to the kernel.
int clinux_set_user_timeout(int descriptor, unsigned milliseconds);
// Octets in the send queue of a stream that the peer has not acknowledged, sent or not (SIOCOUTQ).
int clinux_unacknowledged(int descriptor);
struct clinux_acknowledgements {
  uint32_t in_flight;  // segments sent and not acknowledged
  uint32_t probes;     // sent since the last acknowledgement, to a peer whose window is closed
  uint32_t silence;    // milliseconds since the last acknowledgement came
  uint32_t last_sent;  // milliseconds since data was sent, or sent again
};
// The state of a TCP connection.
int clinux_acknowledgements(int descriptor, struct clinux_acknowledgements *state);
int clinux_set_send_buffer(int descriptor, int bytes);
int clinux_set_receive_buffer(int descriptor, int bytes);
// The next close sends a reset and leaves no TIME-WAIT behind.
int clinux_set_abortive_close(int descriptor);
// Has ICMP errors of a datagram socket reported through clinux_error_queue.
int clinux_set_error_queue(int descriptor, int family);
int clinux_set_non_blocking(int descriptor, bool on);
int clinux_set_close_on_exec(int descriptor, bool on);
// A connected pair of SOCK_STREAM (1), SOCK_DGRAM (2) or SOCK_SEQPACKET (5) sockets, close on exec, blocking.
int clinux_socket_pair(int type, int descriptors[2]);
int clinux_pipe(int descriptors[2]);
// An anonymous file in memory, close on exec.
int clinux_memory_file(const char *name);
// The same, of a size that is sealed: filled with zeros, to be mapped by several processes.
int clinux_shared_memory(const char *name, int64_t size);

// An anonymous file in memory with these octets, sealed against every change, close on exec.
int clinux_sealed_memory(const char *name, const void *octets, size_t length);
// Whether a socket of another owner listens (stream) or is bound (datagram) at the address: 1, 0 or a negated errno.
// SO_REUSEPORT would let two programs of one user share the port without a word.
int clinux_port_taken(const struct clinux_address *address, bool stream);

// read, write and close, repeated when a signal interrupts; a socket's write raises no SIGPIPE.
ptrdiff_t clinux_read(int descriptor, void *buffer, size_t length);
/// Reads at an offset; the count, 0 at the end, or -errno.
ptrdiff_t clinux_read_at(int descriptor, void *buffer, size_t length, int64_t offset);
ptrdiff_t clinux_write(int descriptor, const void *buffer, size_t length);
ptrdiff_t clinux_receive(int descriptor, void *buffer, size_t length);
ptrdiff_t clinux_send(int descriptor, const void *buffer, size_t length);
// The same without waiting, also where the socket is a blocking one.
ptrdiff_t clinux_send_at_once(int descriptor, const void *buffer, size_t length);
ptrdiff_t clinux_send_to(int descriptor, const void *buffer, size_t length, const struct clinux_address *address);
// Sends with a descriptor along (SCM_RIGHTS), unless `passed` is -1. Non-blocking also where the socket is not.
ptrdiff_t clinux_send_passing(int descriptor, const void *buffer, size_t length, int passed);
// Receives one message and the descriptor that came along, close on exec; -1: none. Further ones are closed. A message that
// the buffer does not hold is lost: -EMSGSIZE.
ptrdiff_t clinux_receive_passing(int descriptor, void *buffer, size_t length, int *passed);
void clinux_close(int descriptor);
// Sends no more; the peer reads an end of file.
int clinux_shutdown_write(int descriptor);
// A descriptor of no use but to be closed when one is needed badly.
int clinux_spare(void);

// Takes one error report: 1 with the address of the peer that it concerns and its errno, 0 when there is none.
int clinux_error_queue(int descriptor, struct clinux_address *peer, int *error);

// Room for several datagrams that one call receives.
struct clinux_batch;
struct clinux_batch *clinux_batch_create(int capacity, size_t datagram_size);
void clinux_batch_destroy(struct clinux_batch *batch);
// Returns the number of datagrams; -EAGAIN when there was none.
int clinux_batch_receive(struct clinux_batch *batch, int descriptor);
// The octets of one datagram until the next receive, its length and its sender. A length of -1: it was truncated.
const uint8_t *clinux_batch_octets(const struct clinux_batch *batch, int index);
ptrdiff_t clinux_batch_length(const struct clinux_batch *batch, int index);
void clinux_batch_sender(const struct clinux_batch *batch, int index, struct clinux_address *sender);

// ---- host names

// A name that is being looked up in the background, as the host does it (getaddrinfo).
struct clinux_lookup;
// NULL: it can't be begun.
struct clinux_lookup *clinux_lookup_start(const char *host);
// 1: found, the first address with port 0; 0: not yet; -1: there is none, or it can't be found out.
int clinux_lookup_poll(struct clinux_lookup *lookup, struct clinux_address *address);
// Ends and frees it; false: it can't be ended now, call again later.
bool clinux_lookup_end(struct clinux_lookup *lookup);

// ---- Unix sockets

static const int clinux_stream = 1;
static const int clinux_seqpacket = 5;

// A listening socket of a type at a path, which must not exist; the file has `mode` from the start, whatever the umask.
// -ENAMETOOLONG: the kernel takes 107 octets.
int clinux_unix_listen(const char *path, int type, unsigned mode, int backlog);
// A socket connected to a listening one, non-blocking. -EAGAIN: too many wait at the listener already.
int clinux_unix_connect(const char *path, int type);
// One connection of a listener, non-blocking and closed on exec. -EAGAIN: nobody waits.
int clinux_packet_accept(int listener);
// The user of the process at the other end of a Unix socket: of the one that connected, or that made the listener.
int64_t clinux_peer_user(int descriptor);
// The effective user of this process.
int64_t clinux_user(void);

// Sends one datagram to a socket by its name, 107 octets at most, without waiting; a name that begins with 0 is an abstract one.
int clinux_unix_send(const uint8_t *name, size_t length, const void *octets, size_t count);

// ---- shared memory

// Maps `length` bytes of a file for reading and writing, shared with all who map it; 0 with the address, or -errno.
int clinux_map_shared(int descriptor, size_t length, void **address);
void clinux_unmap(void *address, size_t length);
// One word of shared memory, never torn, in no order with others.
static inline uint64_t clinux_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline void clinux_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

// ---- processes and signals

static const int clinux_signal_hup = 1;
static const int clinux_signal_int = 2;
static const int clinux_signal_kill = 9;
static const int clinux_signal_usr1 = 10;
static const int clinux_signal_usr2 = 12;
static const int clinux_signal_term = 15;
static const int clinux_signal_child = 17;

struct clinux_signal {
  int number;
  int sender;  // process id
};

// Blocks the signals for the calling thread and returns a descriptor that delivers them.
int clinux_signal_descriptor(const int *signals, int count);
// 1 with a signal, 0 when there is none.
int clinux_signal_read(int descriptor, struct clinux_signal *signal);
void clinux_ignore_sigpipe(void);

struct clinux_descriptor_map {
  int from;  // number in this process
  int to;    // number in the new one
};

// The new process is killed when the thread that started it ends.
static const int clinux_spawn_dies_with_parent = 1;
// Neither it nor what it starts gets rights from a file's set-user-ID bit or capabilities.
static const int clinux_spawn_no_new_privileges = 2;
// It has a session of its own: the keys of a terminal don't reach it.
static const int clinux_spawn_new_session = 4;

// Starts the executable at `path` with the given descriptors at the given numbers and the standard three; no others are
// passed on, not even those that this process inherited itself. Signals have their default disposition and none is blocked. `environment` may be NULL:
// this process's. Returns the process id; an executable that can't be started is an error here, not a child that exits.
int clinux_spawn(const char *path, char *const arguments[], char *const environment[],
                 const struct clinux_descriptor_map *map, int count, int flags);

enum { clinux_most_groups = 64 };

// Whom a process runs as.
struct clinux_identity {
  unsigned user;
  unsigned group;
  unsigned groups[clinux_most_groups];
  int group_count;
};

// Looks up a user with its groups; `group` may be NULL: the user's own. -ENOENT: no such user, -ESRCH: no such group.
int clinux_find_identity(const char *user, const char *group, struct clinux_identity *identity);
unsigned clinux_effective_user(void);
// Like clinux_spawn, as another user; only root may. `identity` may be NULL: this process's.
int clinux_spawn_as(const struct clinux_identity *identity, const char *path, char *const arguments[],
                    char *const environment[], const struct clinux_descriptor_map *map, int count, int flags);

struct clinux_exit {
  int process;
  int code;    // exit status; -1 when a signal ended it
  int signal;  // the signal; 0 when it exited
};

// Reaps one child (`process` -1: any). 1 with its end, 0 when none has ended and `block` is false; -ECHILD: no child.
int clinux_wait(int process, bool block, struct clinux_exit *exit);
// Has another program go on in this process with these descriptors: the file of that path, or where that is NULL the open file `program`.
// Comes back only with an error.
int clinux_replace(const char *path, int program, char *const arguments[], const int *kept, int count);
// An open file of the program that runs, whatever has become of its name.
int clinux_own_program(void);
int clinux_kill(int process, int signal);
int clinux_process_id(void);
int clinux_parent_process_id(void);
int clinux_set_parent_death_signal(int signal);
// Whether the process may dump core and be traced by its user.
int clinux_set_dumpable(bool on);
int clinux_set_process_name(const char *name);
// Raises the soft limit of descriptors to the hard one and returns it.
int64_t clinux_raise_descriptor_limit(void);
// The hard limit of descriptors.
int64_t clinux_descriptor_limit(void);
int clinux_processor_count(void);

// ---- memory and text

// Gives free memory of the heap back to the system.
void clinux_trim_heap(void);

// Offset of the first `octet`, or -1.
ptrdiff_t clinux_find_octet(const void *buffer, size_t length, uint8_t octet);
// Offset of the first occurrence of the needle, or -1.
ptrdiff_t clinux_find(const void *buffer, size_t length, const void *needle, size_t needle_length);
// Writes a line for whoever keeps the log, and waits 100 ms at most for a reader that has stopped reading: no process may
// hang on its log. While the reader doesn't go on, further lines are given up at once. Whether all was written.
bool clinux_write_log(int descriptor, const void *buffer, size_t length);
void clinux_write_standard_error(const void *buffer, size_t length);
// The text of an errno in the C locale; never NULL.
const char *clinux_error_text(int error);

#endif
