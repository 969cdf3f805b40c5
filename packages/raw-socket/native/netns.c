/*
 * Network namespaces, compatible with `ip netns` (iproute2, ip/ipnetns.c): a namespace is a file under /run/netns onto
 * which /proc/.../ns/net of a thread in it is mounted.
 *
 * A network namespace belongs to a thread, not to a process. What must not disturb the calling thread (opening a socket
 * elsewhere, making a namespace) is done on a scratch thread that ends right after, so it need not find its way back.
 * Only in_netns moves the calling thread itself.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURRENT_NETNS "/proc/thread-self/ns/net"

static bool fail(struct failure *failure, const char *syscall) {
  *failure = (struct failure){errno, syscall};
  return false;
}

/* Runs the function on a new thread and waits for its end. No signal handler of the process runs there. */
static bool run_on_scratch_thread(void *(*function)(void *), void *argument, struct failure *failure) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, function, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) {
    *failure = (struct failure){error, "pthread_create"};
    return false;
  }
  pthread_join(thread, NULL);
  return true;
}

/* Moves the calling thread. O_NONBLOCK: the path may name a FIFO, whose open would wait for ever. */
static bool enter_netns(const char *path, struct failure *failure) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail(failure, "open");
  bool entered = setns(fd, CLONE_NEWNET) == 0 || fail(failure, "setns");
  close(fd);
  return entered;
}

struct open_request {
  const char *path;
  int domain, type, protocol, fd;
  struct failure failure;
};

static void *open_on_scratch_thread(void *argument) {
  struct open_request *request = argument;
  if (!enter_netns(request->path, &request->failure)) return NULL;
  request->fd = socket(request->domain, request->type, request->protocol);
  if (request->fd < 0) fail(&request->failure, "socket");
  return NULL;
}

/* A socket of the namespace at path; -1 with the failure set. The calling thread stays where it is. */
int open_socket_in_netns(const char *path, int domain, int type, int protocol, struct failure *failure) {
  struct open_request request = {path, domain, type, protocol, -1, {0, NULL}};
  if (!run_on_scratch_thread(open_on_scratch_thread, &request, failure)) return -1;
  if (request.failure.error != 0) *failure = request.failure;
  return request.fd;
}

static napi_value throw_netns(napi_env env, struct failure failure, const char *path) {
  const char *hint = "";
  if (failure.error == EPERM) hint = "; this needs CAP_SYS_ADMIN";
  else if (failure.error == EEXIST) hint = "; there is a namespace of that name, or a left-over file";
  else if (failure.error == EINVAL && strcmp(failure.syscall, "setns") == 0) hint = "; not a network namespace";
  return throw_errno(env, failure.error, failure.syscall, "network namespace %s%s", path, hint);
}

/* inNetns(path, function): the function's result, called with this thread inside the namespace */
napi_value in_netns(napi_env env, napi_callback_info info) {
  napi_value arguments[2], undefined, result = NULL;
  char path[PATH_MAX];
  napi_valuetype type;
  if (!read_arguments(env, info, 2, arguments, NULL) || !read_path(env, arguments[0], "netns", path, sizeof path) ||
      napi_get_undefined(env, &undefined) != napi_ok || napi_typeof(env, arguments[1], &type) != napi_ok) {
    return NULL;
  }
  if (type != napi_function) return throw_type(env, "fn must be a function");
  struct failure failure;
  int home = open(CURRENT_NETNS, O_RDONLY | O_CLOEXEC);
  if (home < 0) return throw_errno(env, errno, "open", "%s", CURRENT_NETNS);
  /* Returning needs the same right as leaving, over the namespace that is left. Asked for before it is too late. */
  if (setns(home, CLONE_NEWNET) < 0) {
    int error = errno;
    close(home);
    return throw_errno(env, error, "setns", "could not return to the present network namespace from %s; "
                       "this needs CAP_SYS_ADMIN over both", path);
  }
  if (!enter_netns(path, &failure)) {
    close(home);
    return throw_netns(env, failure, path);
  }
  napi_status status = napi_call_function(env, undefined, arguments[1], 0, NULL, &result);
  if (setns(home, CLONE_NEWNET) < 0) {
    char message[PATH_MAX + 256];
    snprintf(message, sizeof message,
             "cannot return from network namespace %s: %s. Everything else on this thread would act in the wrong "
             "namespace, so the process ends here", path, strerror(errno));
    napi_fatal_error("inNetns", NAPI_AUTO_LENGTH, message, NAPI_AUTO_LENGTH);
  }
  close(home);
  return status == napi_ok ? result : NULL;
}

struct create_request {
  const char *directory, *path;
  struct failure failure;
};

/* Makes the directory a shared mount point, so that a namespace mounted there shows in every mount namespace that
   shares it, and so that deleting it there deletes it everywhere. The same steps as iproute2. */
static bool share_directory(const char *directory, struct failure *failure) {
  if (mkdir(directory, 0755) < 0 && errno != EEXIST) return fail(failure, "mkdir");
  /* Two creators at the same time would mount the directory onto itself twice; iproute2 takes the same lock. */
  int lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return fail(failure, "open");
  bool shared = true;
  if (flock(lock, LOCK_EX) < 0) {
    shared = fail(failure, "flock");
  } else if (mount("", directory, "none", MS_SHARED | MS_REC, NULL) < 0) {
    /* EINVAL: no mount point yet. */
    if (errno != EINVAL || mount(directory, directory, "none", MS_BIND | MS_REC, NULL) < 0 ||
        mount("", directory, "none", MS_SHARED | MS_REC, NULL) < 0) {
      shared = fail(failure, "mount");
    }
  }
  close(lock);
  return shared;
}

static void *create_on_scratch_thread(void *argument) {
  struct create_request *request = argument;
  if (!share_directory(request->directory, &request->failure)) return NULL;
  int file = open(request->path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file < 0) {
    fail(&request->failure, "open");
    return NULL;
  }
  close(file);
  if (unshare(CLONE_NEWNET) < 0) {
    fail(&request->failure, "unshare");
  } else if (mount(CURRENT_NETNS, request->path, "none", MS_BIND, NULL) < 0) {
    fail(&request->failure, "mount");
  }
  if (request->failure.error != 0) unlink(request->path);
  return NULL;
}

/* createNetns(directory, path): a new namespace at path, in directory */
napi_value create_netns(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  char directory[PATH_MAX], path[PATH_MAX];
  if (!read_arguments(env, info, 2, arguments, NULL) ||
      !read_path(env, arguments[0], "directory", directory, sizeof directory) ||
      !read_path(env, arguments[1], "path", path, sizeof path)) {
    return NULL;
  }
  struct create_request request = {directory, path, {0, NULL}};
  struct failure failure = {0, NULL};
  if (!run_on_scratch_thread(create_on_scratch_thread, &request, &failure)) return throw_netns(env, failure, path);
  if (request.failure.error != 0) return throw_netns(env, request.failure, path);
  return NULL;
}

/* deleteNetns(path): the name goes; the namespace itself lives on while a process or a socket is in it */
napi_value delete_netns(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  char path[PATH_MAX];
  if (!read_arguments(env, info, 1, arguments, NULL) || !read_path(env, arguments[0], "path", path, sizeof path)) {
    return NULL;
  }
  /* EINVAL: nothing is mounted there; a left-over file, for example after a crash between open and mount. */
  if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL) {
    return throw_netns(env, (struct failure){errno, "umount2"}, path);
  }
  if (unlink(path) < 0) return throw_netns(env, (struct failure){errno, "unlink"}, path);
  return NULL;
}
