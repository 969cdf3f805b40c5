/*
 * A question over a connection of its own, and the beginning of its answer: connect, send, receive, close. Whoever asks a few every second
 * finds JavaScript and the streams of Node cold each time, which costs more than the connection; here it is one call, and one call back.
 *
 * The sockets are in one epoll set for each environment, which the event loop polls: a handle of libuv for every socket would take twice
 * as many system calls as the whole exchange. They are edge-triggered, so that nothing has to be set anew when connecting becomes receiving.
 */
#include "addon.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_REQUEST 65536
/* More than this is not received: when it is closed with something unread, the other end is told by a reset. */
#define MAX_ANSWER 1024
/* Sockets that are asked for at a time. */
#define MAX_READY 64

struct exchange {
  struct exchanges *all;
  struct exchange *next, *previous;
  int64_t number;
  int fd;
  bool connected;
  napi_ref callback;
  size_t enough, received, sent, length;
  uint8_t answer[MAX_ANSWER];
  uint8_t request[]; /* of that length */
};

/* Those of one environment. Made for its first exchange, and in memory of its own, as libuv lets go of the handle later. */
struct exchanges {
  uv_poll_t poll; /* keeps the event loop alive while there is an exchange */
  struct addon *addon;
  int fd;
  struct exchange *first, *last; /* oldest first */
  int64_t next_number;
  struct epoll_event ready[MAX_READY]; /* of which those are not looked at yet; NULL: closed meanwhile */
  int ready_count;
};

static void close_exchange(napi_env env, struct exchange *exchange) {
  struct exchanges *all = exchange->all;
  for (int index = 0; index < all->ready_count; index++) {
    if (all->ready[index].data.ptr == exchange) all->ready[index].data.ptr = NULL;
  }
  if (exchange->next != NULL) exchange->next->previous = exchange->previous;
  else all->last = exchange->previous;
  if (exchange->previous != NULL) exchange->previous->next = exchange->next;
  else all->first = exchange->next;
  if (all->first == NULL) uv_unref((uv_handle_t *)&all->poll);
  /* Closing alone would not do while a child that another thread has just forked has it open as well: it would still be told of. */
  epoll_ctl(all->fd, EPOLL_CTL_DEL, exchange->fd, NULL);
  close(exchange->fd);
  napi_delete_reference(env, exchange->callback);
  free(exchange);
}

static void on_closed(uv_handle_t *handle) {
  struct exchanges *all = handle->data;
  struct addon *addon = all->addon;
  free(all);
  addon->closing--;
  finish_cleanup(addon);
}

void close_all_exchanges(struct addon *addon) {
  struct exchanges *all = addon->exchanges;
  if (all == NULL) return;
  while (all->first != NULL) close_exchange(addon->env, all->first);
  addon->exchanges = NULL;
  addon->closing++;
  uv_close((uv_handle_t *)&all->poll, on_closed);
  close(all->fd);
}

/* Closes it and calls back: callback(error | undefined, answer). After that any other may be closed as well, and new ones begun. */
static void end(struct exchange *exchange, int error, const char *syscall) {
  napi_env env = exchange->all->addon->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) {
    close_exchange(env, exchange);
    return;
  }
  napi_value callback, global, arguments[2];
  bool made = napi_get_reference_value(env, exchange->callback, &callback) == napi_ok && callback != NULL &&
              napi_get_global(env, &global) == napi_ok && napi_get_undefined(env, &arguments[0]) == napi_ok &&
              napi_create_string_latin1(env, (char *)exchange->answer, exchange->received, &arguments[1]) == napi_ok &&
              (error == 0 || (arguments[0] = create_errno(env, error, syscall, NULL)) != NULL);
  close_exchange(env, exchange);
  if (!made || napi_make_callback(env, NULL, global, callback, 2, arguments, NULL) != napi_ok) report_exception(env);
  napi_close_handle_scope(env, scope);
}

/* Sends what is left of the request: 0 when all of it went, or the error. */
static int send_rest(struct exchange *exchange) {
  while (exchange->sent < exchange->length) {
    ssize_t more = send(exchange->fd, exchange->request + exchange->sent, exchange->length - exchange->sent,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return errno;
    exchange->sent += (size_t)more;
  }
  return 0;
}

/* Goes as far as it can be gone now. Each step ends with EAGAIN, as only then something will be told again. */
static void proceed(struct exchange *exchange) {
  int error = 0;
  if (!exchange->connected) {
    socklen_t length = sizeof error;
    if (getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
    if (error != 0) {
      end(exchange, error, "connect");
      return;
    }
    exchange->connected = true;
  }
  if ((error = send_rest(exchange)) != 0) {
    if (error != EAGAIN) end(exchange, error, "write");
    return;
  }
  while (exchange->received < exchange->enough) {
    ssize_t more = recv(exchange->fd, exchange->answer + exchange->received, MAX_ANSWER - exchange->received, MSG_DONTWAIT);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) {
      if (errno != EAGAIN) end(exchange, errno, "read");
      return;
    }
    if (more == 0) break;
    exchange->received += (size_t)more;
  }
  end(exchange, 0, NULL);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
  (void)status;
  (void)events;
  struct exchanges *all = handle->data;
  int count = epoll_wait(all->fd, all->ready, MAX_READY, 0);
  if (count <= 0) return; /* EINTR: the loop polls again */
  all->ready_count = count;
  for (int index = 0; index < count; index++) {
    struct exchange *exchange = all->ready[index].data.ptr;
    if (exchange != NULL) proceed(exchange);
  }
  all->ready_count = 0;
}

static struct exchanges *create_exchanges(napi_env env, struct addon *addon) {
  uv_loop_t *loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return NULL;
  struct exchanges *all = calloc(1, sizeof *all);
  if (all == NULL) {
    throw_errno(env, ENOMEM, "malloc", "the state of exchanges");
    return NULL;
  }
  all->fd = epoll_create1(EPOLL_CLOEXEC);
  int status = all->fd < 0 ? -errno : uv_poll_init(loop, &all->poll, all->fd);
  if (status < 0) {
    const char *syscall = all->fd < 0 ? "epoll_create1" : "uv_poll_init";
    if (all->fd >= 0) close(all->fd);
    free(all);
    throw_errno(env, -status, syscall, "for exchanges");
    return NULL;
  }
  all->poll.data = all;
  all->addon = addon;
  uv_unref((uv_handle_t *)&all->poll);
  uv_poll_start(&all->poll, UV_READABLE, on_ready);
  addon->exchanges = all;
  return all;
}

/* Opens its socket and begins: 0, or the error with the system call that failed. */
static int begin(struct exchange *exchange, const struct bytes *address, const char **syscall) {
  sa_family_t family;
  memcpy(&family, address->data, sizeof family);
  *syscall = "socket";
  exchange->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (exchange->fd < 0) return errno;
  /* A stream of another family has no such option, and no such delay. */
  int on = 1;
  setsockopt(exchange->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  *syscall = "connect";
  if (connect(exchange->fd, (struct sockaddr *)address->data, (socklen_t)address->length) < 0 && errno != EINPROGRESS &&
      errno != EINTR) {
    return errno;
  }
  *syscall = "epoll_ctl";
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = exchange}};
  return epoll_ctl(exchange->all->fd, EPOLL_CTL_ADD, exchange->fd, &event) < 0 ? errno : 0;
}

/* exchange(address, request, enough, callback): a number that names it. Throws what fails at once. */
napi_value exchange(napi_env env, napi_callback_info info) {
  napi_value arguments[4], result;
  int64_t enough;
  napi_valuetype type;
  struct bytes address, request;
  struct addon *addon;
  if (!read_arguments(env, info, 4, arguments, NULL) ||
      !read_integer(env, arguments[2], "enough", 0, MAX_ANSWER, &enough) ||
      napi_typeof(env, arguments[3], &type) != napi_ok || napi_get_instance_data(env, (void **)&addon) != napi_ok) {
    return NULL;
  }
  if (type != napi_function) return throw_type(env, "done must be a function");
  struct exchanges *all = addon->exchanges == NULL ? create_exchanges(env, addon) : addon->exchanges;
  if (all == NULL || !read_address(env, arguments[0], &address) || !read_bytes(env, arguments[1], "request", &request)) {
    return NULL;
  }
  if (request.length > MAX_REQUEST) return throw_range(env, "request must have at most %d bytes", MAX_REQUEST);
  struct exchange *begun = malloc(sizeof *begun + request.length);
  if (begun == NULL) return throw_errno(env, ENOMEM, "malloc", "the state of an exchange");
  *begun = (struct exchange){.all = all, .enough = (size_t)enough, .length = request.length};
  memcpy(begun->request, request.data, request.length);
  if (napi_create_reference(env, arguments[3], 1, &begun->callback) != napi_ok) {
    free(begun);
    return NULL;
  }
  const char *syscall;
  int error = begin(begun, &address, &syscall);
  if (error != 0) {
    if (begun->fd >= 0) close(begun->fd);
    napi_delete_reference(env, begun->callback);
    free(begun);
    return throw_errno(env, error, syscall, "a connection to ask something");
  }
  begun->number = all->next_number++;
  begun->previous = all->last;
  if (all->last != NULL) all->last->next = begun;
  else all->first = begun;
  all->last = begun;
  uv_ref((uv_handle_t *)&all->poll);
  return napi_create_int64(env, begun->number, &result) == napi_ok ? result : NULL;
}

/* giveUp(number): closes it, and nobody is called; nothing happens when it is over already */
napi_value give_up(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int64_t number;
  struct addon *addon;
  if (!read_arguments(env, info, 1, arguments, NULL) ||
      !read_integer(env, arguments[0], "number", 0, (int64_t)1 << 53, &number) ||
      napi_get_instance_data(env, (void **)&addon) != napi_ok || addon->exchanges == NULL) {
    return NULL;
  }
  /* It is mostly the oldest that has waited for too long. */
  for (struct exchange *at = addon->exchanges->first; at != NULL; at = at->next) {
    if (at->number != number) continue;
    close_exchange(env, at);
    return NULL;
  }
  return NULL;
}
