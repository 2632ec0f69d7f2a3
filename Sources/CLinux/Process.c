#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

_Static_assert(SIGHUP == 1 && SIGINT == 2 && SIGKILL == 9 && SIGUSR1 == 10 && SIGUSR2 == 12 && SIGTERM == 15, "signals");
_Static_assert(SIGCHLD == 17, "signals");

enum { most_descriptors = 1024 };

int clinux_signal_descriptor(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int index = 0; index < count; index++) sigaddset(&set, signals[index]);
  int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (error != 0) return -error;
  int descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int clinux_signal_read(int descriptor, struct clinux_signal *signal) {
  struct signalfd_siginfo information;
  ptrdiff_t count = clinux_read(descriptor, &information, sizeof information);
  if (count == -EAGAIN) return 0;
  if (count < 0) return (int)count;
  if (count != sizeof information) return -EIO;
  signal->number = (int)information.ssi_signo;
  signal->sender = (int)information.ssi_pid;
  return 1;
}

void clinux_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int clinux_find_identity(const char *user, const char *group, struct clinux_identity *identity) {
  errno = 0;
  const struct passwd *entry = getpwnam(user);
  if (entry == NULL) return errno == 0 ? -ENOENT : -errno;
  identity->user = entry->pw_uid;
  identity->group = entry->pw_gid;
  if (group != NULL) {
    errno = 0;
    const struct group *other = getgrnam(group);
    if (other == NULL) return errno == 0 ? -ESRCH : -errno;
    identity->group = other->gr_gid;
  }
  gid_t groups[clinux_most_groups];
  int count = clinux_most_groups;
  if (getgrouplist(user, identity->group, groups, &count) < 0) return -E2BIG;
  for (int index = 0; index < count; index++) identity->groups[index] = groups[index];
  identity->group_count = count;
  return 0;
}

unsigned clinux_effective_user(void) { return geteuid(); }

// Runs between fork and exec: only async-signal-safe calls. These are the kernel's, for the one thread that there is.
static int take_identity(const struct clinux_identity *identity) {
  gid_t groups[clinux_most_groups];
  for (int index = 0; index < identity->group_count; index++) groups[index] = identity->groups[index];
  if (syscall(SYS_setgroups, identity->group_count, groups) < 0) return errno;
  if (syscall(SYS_setresgid, identity->group, identity->group, identity->group) < 0) return errno;
  return syscall(SYS_setresuid, identity->user, identity->user, identity->user) < 0 ? errno : 0;
}

// The same.
static int restrict_child(const struct clinux_identity *identity, int flags, int parent) {
  if (flags & clinux_spawn_new_session) setsid();
  int error = identity == NULL ? 0 : take_identity(identity);
  if (error != 0) return error;
  if ((flags & clinux_spawn_no_new_privileges) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
  // After the change of user, which takes the wish back.
  if (flags & clinux_spawn_dies_with_parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return errno;
    // The parent may have died before the request: nobody would ever send the signal.
    if (getppid() != parent) return ESRCH;
  }
  return 0;
}

// The same.
static int prepare_child(const struct clinux_descriptor_map *map, int count, int *report) {
  int beyond = 3;
  for (int index = 0; index < count; index++) {
    if (map[index].to >= beyond) beyond = map[index].to + 1;
  }
  // Everything goes above all target numbers first, so that no target overwrites a source.
  int moved_report = fcntl(*report, F_DUPFD_CLOEXEC, beyond);
  if (moved_report < 0) return errno;
  *report = moved_report;
  int moved[most_descriptors];
  for (int index = 0; index < count; index++) {
    moved[index] = fcntl(map[index].from, F_DUPFD_CLOEXEC, beyond);
    if (moved[index] < 0) return errno;
  }
  // What this process itself inherited has no close-on-exec flag; dup2 clears it for the targets.
  // A kernel that doesn't know the call is no reason not to start.
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  for (int index = 0; index < count; index++) {
    if (dup2(moved[index], map[index].to) < 0) return errno;
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? errno : 0;
}

int clinux_spawn(const char *path, char *const arguments[], char *const environment[],
                 const struct clinux_descriptor_map *map, int count, int flags) {
  return clinux_spawn_as(NULL, path, arguments, environment, map, count, flags);
}

int clinux_spawn_as(const struct clinux_identity *identity, const char *path, char *const arguments[],
                    char *const environment[], const struct clinux_descriptor_map *map, int count, int flags) {
  if (count < 0 || count > most_descriptors) return -EINVAL;
  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) return -errno;
  // No handler of this process may run in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int parent = getpid();
  char *const *variables = environment == NULL ? environ : environment;
  int child = fork();
  int error = child < 0 ? errno : 0;
  if (child == 0) {
    error = prepare_child(map, count, &report[1]);
    if (error == 0) error = restrict_child(identity, flags, parent);
    if (error == 0) {
      execve(path, arguments, variables);
      error = errno;
    }
    ssize_t ignored = write(report[1], &error, sizeof error);
    (void)ignored;
    _exit(127);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(report[1]);
  if (child > 0 && clinux_read(report[0], &error, sizeof error) == sizeof error) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  }
  close(report[0]);
  return error != 0 ? -error : child;
}

int clinux_wait(int process, bool block, struct clinux_exit *exit) {
  int status = 0, child;
  do child = waitpid(process, &status, block ? 0 : WNOHANG);
  while (child < 0 && errno == EINTR);
  if (child < 0) return -errno;
  if (child == 0) return 0;
  exit->process = child;
  exit->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  exit->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return 1;
}

int clinux_replace(const char *path, int program, char *const arguments[], const int *kept, int count) {
  for (int index = 0; index < count; index++) clinux_set_close_on_exec(kept[index], false);
  if (path != NULL) {
    execv(path, arguments);
  } else {
    fexecve(program, arguments, environ);
  }
  int error = errno;
  for (int index = 0; index < count; index++) clinux_set_close_on_exec(kept[index], true);
  return -error;
}

int clinux_own_program(void) {
  int descriptor = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int clinux_kill(int process, int signal) { return kill(process, signal) < 0 ? -errno : 0; }

int clinux_process_id(void) { return getpid(); }

int clinux_parent_process_id(void) { return getppid(); }
