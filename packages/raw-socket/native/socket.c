/*
 * A socket's life.
 *
 * The C structure belongs to its JavaScript object. The descriptor is closed by close(), by the end of the environment,
 * or by the object's finalizer: whichever comes first. A socket that listens cannot be collected (listen.c), so a
 * finalizer only ever closes a socket that nobody could have heard from again.
 */
#include "addon.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const napi_type_tag socket_tag = {0x6661697246a95e1dULL, 0x726177736f636b65ULL};

static void link_socket(struct addon *addon, struct socket *socket) {
  socket->addon = addon;
  socket->next = addon->sockets;
  if (addon->sockets != NULL) addon->sockets->previous = socket;
  addon->sockets = socket;
}

static void unlink_socket(struct socket *socket) {
  if (socket->next != NULL) socket->next->previous = socket->previous;
  if (socket->previous != NULL) socket->previous->next = socket->next;
  else socket->addon->sockets = socket->next;
  socket->next = socket->previous = NULL;
}

void close_socket(napi_env env, struct socket *socket) {
  if (socket->fd < 0) return;
  /* First the poll handle: it must not see a descriptor that is closed, or reused by someone else. */
  close_listener(env, socket);
  close_all_repeated(env, socket);
  close(socket->fd);
  socket->fd = -1;
  free_absorbed(env, socket);
  unlink_socket(socket);
}

static void finalize_socket(napi_env env, void *data, void *hint) {
  (void)hint;
  struct socket *socket = data;
  close_socket(env, socket);
  napi_delete_reference(env, socket->self);
  free(socket);
}

/* The open socket behind `this`, or NULL with an exception: TypeError for another object, EBADF for a closed socket. */
struct socket *this_socket(napi_env env, napi_value self, const char *operation) {
  bool ours = false;
  struct socket *socket;
  if (napi_check_object_type_tag(env, self, &socket_tag, &ours) != napi_ok || !ours ||
      napi_unwrap(env, self, (void **)&socket) != napi_ok) {
    throw_type(env, "%s was called on something that is not a socket", operation);
    return NULL;
  }
  if (socket->fd < 0) {
    throw_errno(env, EBADF, operation, "the socket is closed");
    return NULL;
  }
  return socket;
}

static napi_value throw_not_opened(napi_env env, struct failure failure, int64_t domain, int64_t type,
                                   int64_t protocol, const char *netns) {
  const char *where = netns[0] == '\0' ? "" : " in network namespace ";
  const char *hint = "";
  if (strcmp(failure.syscall, "socket") == 0 && (failure.error == EPERM || failure.error == EACCES)) {
    hint = "; raw and packet sockets need CAP_NET_RAW";
  } else if (strcmp(failure.syscall, "setns") == 0 && failure.error == EPERM) {
    hint = "; entering a network namespace needs CAP_SYS_ADMIN";
  } else if (strcmp(failure.syscall, "setns") == 0 && failure.error == EINVAL) {
    hint = "; that file is not a network namespace";
  } else if (failure.error == EAFNOSUPPORT || failure.error == EPROTONOSUPPORT) {
    hint = "; the kernel, or the module it would load, has no such protocol";
  }
  return throw_errno(env, failure.error, failure.syscall, "domain %lld, type %lld, protocol %lld%s%s%s",
                     (long long)domain, (long long)type, (long long)protocol, where, netns, hint);
}

/* new Socket(domain, type, protocol, netns path | undefined, message size, batch, gather microseconds) */
napi_value socket_new(napi_env env, napi_callback_info info) {
  napi_value arguments[7], self, target;
  if (!read_arguments(env, info, 7, arguments, &self)) return NULL;
  if (napi_get_new_target(env, info, &target) != napi_ok || target == NULL) {
    return throw_type(env, "Socket is a class: call it with new");
  }
  int64_t domain, type, protocol, message_size, batch, gather_us;
  char netns[PATH_MAX] = "";
  if (!read_integer(env, arguments[0], "domain", 0, INT32_MAX, &domain) ||
      !read_integer(env, arguments[1], "type", 0, INT32_MAX, &type) ||
      !read_integer(env, arguments[2], "protocol", 0, INT32_MAX, &protocol) ||
      (!is_absent(env, arguments[3]) && !read_path(env, arguments[3], "netns", netns, sizeof netns)) ||
      !read_integer(env, arguments[4], "messageSize", 1, MAX_MESSAGE_SIZE, &message_size) ||
      !read_integer(env, arguments[5], "batch", 1, MAX_BATCH, &batch) ||
      !read_integer(env, arguments[6], "gatherMicroseconds", 0, MAX_GATHER_US, &gather_us)) {
    return NULL;
  }
  struct addon *addon;
  if (napi_get_instance_data(env, (void **)&addon) != napi_ok) return NULL;
  struct socket *result = calloc(1, sizeof *result);
  if (result == NULL) return throw_errno(env, ENOMEM, "malloc", "a socket's state");

  struct failure failure = {0, "socket"};
  int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (netns[0] == '\0') {
    result->fd = socket((int)domain, (int)type | flags, (int)protocol);
    if (result->fd < 0) failure.error = errno;
  } else {
    result->fd = open_socket_in_netns(netns, (int)domain, (int)type | flags, (int)protocol, &failure);
  }
  if (failure.error != 0) {
    free(result);
    return throw_not_opened(env, failure, domain, type, protocol, netns);
  }
  result->message_size = (uint32_t)message_size;
  result->batch = (uint32_t)batch;
  result->gather_us = (uint32_t)gather_us;
  if (napi_wrap(env, self, result, finalize_socket, NULL, &result->self) != napi_ok) {
    close(result->fd);
    free(result);
    return throw_type(env, "this object is a socket already");
  }
  link_socket(addon, result);
  if (napi_type_tag_object(env, self, &socket_tag) != napi_ok) return throw_type(env, "this object has another tag");
  return self;
}

/* Get `fd`: the descriptor, or -1 once closed. */
napi_value socket_fd(napi_env env, napi_callback_info info) {
  napi_value self, result;
  bool ours = false;
  struct socket *socket;
  if (!read_arguments(env, info, 0, NULL, &self)) return NULL;
  if (napi_check_object_type_tag(env, self, &socket_tag, &ours) != napi_ok || !ours ||
      napi_unwrap(env, self, (void **)&socket) != napi_ok) {
    return throw_type(env, "fd was read from something that is not a socket");
  }
  return napi_create_int32(env, socket->fd, &result) == napi_ok ? result : NULL;
}

napi_value socket_bind(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self;
  struct bytes address;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "bind");
  if (socket == NULL || !read_address(env, arguments[0], &address)) return NULL;
  if (bind(socket->fd, (struct sockaddr *)address.data, (socklen_t)address.length) < 0) {
    return throw_errno(env, errno, "bind", "address of %zu bytes", address.length);
  }
  return NULL;
}

napi_value socket_connect(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self;
  struct bytes address;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "connect");
  if (socket == NULL || !read_address(env, arguments[0], &address)) return NULL;
  if (connect(socket->fd, (struct sockaddr *)address.data, (socklen_t)address.length) < 0) {
    return throw_errno(env, errno, "connect", "address of %zu bytes", address.length);
  }
  return NULL;
}

napi_value socket_getsockname(napi_env env, napi_callback_info info) {
  napi_value self, result;
  if (!read_arguments(env, info, 0, NULL, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "getsockname");
  if (socket == NULL) return NULL;
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(socket->fd, (struct sockaddr *)&address, &length) < 0) {
    return throw_errno(env, errno, "getsockname", "descriptor %d", socket->fd);
  }
  if (length > sizeof address) length = sizeof address;
  return napi_create_buffer_copy(env, length, &address, NULL, &result) == napi_ok ? result : NULL;
}

/* setsockopt(level, name, number | Uint8Array); a number goes as a C int, as most options want it */
napi_value socket_setsockopt(napi_env env, napi_callback_info info) {
  napi_value arguments[3], self;
  if (!read_arguments(env, info, 3, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "setsockopt");
  int64_t level, name, number;
  struct bytes value;
  int integer;
  napi_valuetype type;
  if (socket == NULL || !read_integer(env, arguments[0], "level", 0, INT32_MAX, &level) ||
      !read_integer(env, arguments[1], "name", 0, INT32_MAX, &name) ||
      napi_typeof(env, arguments[2], &type) != napi_ok) {
    return NULL;
  }
  if (type == napi_number) {
    /* Up to 2**32-1: marks and masks are unsigned. */
    if (!read_integer(env, arguments[2], "value", INT32_MIN, UINT32_MAX, &number)) return NULL;
    integer = (int)(uint32_t)number;
    value = (struct bytes){(uint8_t *)&integer, sizeof integer};
  } else if (!read_bytes(env, arguments[2], "value", &value)) {
    return NULL;
  }
  if (value.length > INT_MAX) return throw_range(env, "value must have less than 2 GiB");
  if (setsockopt(socket->fd, (int)level, (int)name, value.data, (socklen_t)value.length) < 0) {
    return throw_errno(env, errno, "setsockopt", "level %lld, option %lld, %zu bytes", (long long)level,
                       (long long)name, value.length);
  }
  return NULL;
}

/* getsockopt(level, name, length): the value, as long as the kernel made it */
napi_value socket_getsockopt(napi_env env, napi_callback_info info) {
  napi_value arguments[3], self, result;
  if (!read_arguments(env, info, 3, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "getsockopt");
  int64_t level, name, length;
  if (socket == NULL || !read_integer(env, arguments[0], "level", 0, INT32_MAX, &level) ||
      !read_integer(env, arguments[1], "name", 0, INT32_MAX, &name) ||
      !read_integer(env, arguments[2], "length", 0, 65536, &length)) {
    return NULL;
  }
  uint8_t *value = calloc(1, length > 0 ? (size_t)length : 1);
  if (value == NULL) return throw_errno(env, ENOMEM, "malloc", "%lld bytes", (long long)length);
  socklen_t actual = (socklen_t)length;
  if (getsockopt(socket->fd, (int)level, (int)name, value, &actual) < 0) {
    int error = errno;
    free(value);
    return throw_errno(env, error, "getsockopt", "level %lld, option %lld, %lld bytes", (long long)level,
                       (long long)name, (long long)length);
  }
  /* Some options answer with the length that they would have needed. */
  if (actual > (socklen_t)length) actual = (socklen_t)length;
  napi_status status = napi_create_buffer_copy(env, actual, value, NULL, &result);
  free(value);
  return status == napi_ok ? result : NULL;
}

/* attachFilter(program): struct sock_filter[] as bytes; the kernel checks the program and keeps a copy of its own */
napi_value socket_attach_filter(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self;
  struct bytes program;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "setsockopt");
  if (socket == NULL || !read_bytes(env, arguments[0], "program", &program)) return NULL;
  size_t count = program.length / sizeof(struct sock_filter);
  if (count == 0 || count > BPF_MAXINSNS || program.length % sizeof(struct sock_filter) != 0) {
    return throw_range(env, "a filter has 1 to %d instructions of %zu bytes, not %zu bytes", BPF_MAXINSNS,
                       sizeof(struct sock_filter), program.length);
  }
  struct sock_fprog filter = {(unsigned short)count, (struct sock_filter *)program.data};
  if (setsockopt(socket->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0) {
    return throw_errno(env, errno, "setsockopt", "SO_ATTACH_FILTER, %zu instructions%s", count,
                       errno == EINVAL ? "; the kernel refused the program: jumps past its end, or no return" : "");
  }
  return NULL;
}

napi_value socket_close(napi_env env, napi_callback_info info) {
  napi_value self;
  bool ours = false;
  struct socket *socket;
  if (!read_arguments(env, info, 0, NULL, &self)) return NULL;
  if (napi_check_object_type_tag(env, self, &socket_tag, &ours) != napi_ok || !ours ||
      napi_unwrap(env, self, (void **)&socket) != napi_ok) {
    return throw_type(env, "close was called on something that is not a socket");
  }
  close_socket(env, socket);
  return NULL;
}
