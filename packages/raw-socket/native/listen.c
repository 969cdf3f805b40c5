/*
 * Readiness. A socket that listens has a uv_poll handle, which calls one JavaScript function when there is something to
 * read; that function then calls receive(). While it listens the socket's object is held by a strong reference: a
 * listening socket lives until it is stopped or closed, whether or not the program still has a variable for it.
 *
 * The handle has memory of its own, since libuv lets go of it only in a later turn of the loop, when the socket may be
 * gone already.
 */
#include "addon.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

struct listener {
  uv_poll_t handle;
  struct addon *addon;
  struct socket *socket; /* NULL once closing */
  napi_ref callback;     /* NULL while stopped */
};

void report_exception(napi_env env) {
  bool pending = false;
  napi_value exception;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    napi_fatal_exception(env, exception);
  }
}

void call_back(napi_env env, napi_ref reference) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback, global;
  if (napi_get_reference_value(env, reference, &callback) == napi_ok && callback != NULL &&
      napi_get_global(env, &global) == napi_ok) {
    if (napi_make_callback(env, NULL, global, callback, 0, NULL, NULL) != napi_ok) report_exception(env);
  }
  napi_close_handle_scope(env, scope);
}

static void on_readable(uv_poll_t *handle, int status, int events) {
  (void)events;
  struct listener *listener = handle->data;
  struct socket *socket = listener->socket;
  if (socket == NULL || listener->callback == NULL) return;
  napi_env env = listener->addon->env;
  /* libuv takes a pending socket error (ENOBUFS of netlink, ENETDOWN of a packet socket) for a bad descriptor and stops
     the handle. It is good: the error itself comes out of the next receive, and there is more to hear after it. */
  if (status < 0) uv_poll_start(handle, UV_READABLE, on_readable);

  if (status >= 0 && socket->gather_us > 0) {
    /* Entering JavaScript once more costs more than this. A signal that cuts it short does no harm. */
    struct timespec gather = {0, (long)socket->gather_us * 1000};
    nanosleep(&gather, NULL);
  }
  if (status >= 0 && absorb_pending(socket)) return;

  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value self, callback, failed;
  if (napi_get_reference_value(env, socket->self, &self) == napi_ok && self != NULL &&
      napi_get_reference_value(env, listener->callback, &callback) == napi_ok && callback != NULL &&
      napi_get_boolean(env, status < 0, &failed) == napi_ok) {
    /* After this call the socket may be closed and the listener stopped: neither is touched again. */
    if (napi_make_callback(env, NULL, self, callback, 1, &failed, NULL) != napi_ok) report_exception(env);
  }
  napi_close_handle_scope(env, scope);
}

static void stop_listening(napi_env env, struct socket *socket) {
  struct listener *listener = socket->listener;
  if (listener == NULL || listener->callback == NULL) return;
  uv_poll_stop(&listener->handle);
  napi_delete_reference(env, listener->callback);
  listener->callback = NULL;
  napi_reference_unref(env, socket->self, NULL);
}

static void on_closed(uv_handle_t *handle) {
  struct listener *listener = handle->data;
  struct addon *addon = listener->addon;
  free(listener);
  addon->closing--;
  finish_cleanup(addon);
}

void close_listener(napi_env env, struct socket *socket) {
  struct listener *listener = socket->listener;
  if (listener == NULL) return;
  stop_listening(env, socket);
  socket->listener = NULL;
  listener->socket = NULL;
  listener->addon->closing++;
  uv_close((uv_handle_t *)&listener->handle, on_closed);
}

static struct listener *create_listener(napi_env env, struct socket *socket) {
  uv_loop_t *loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return NULL;
  struct listener *listener = calloc(1, sizeof *listener);
  if (listener == NULL) {
    throw_errno(env, ENOMEM, "malloc", "a listener's state");
    return NULL;
  }
  int status = uv_poll_init(loop, &listener->handle, socket->fd);
  if (status < 0) {
    free(listener);
    throw_errno(env, -status, "uv_poll_init", "descriptor %d", socket->fd);
    return NULL;
  }
  listener->handle.data = listener;
  listener->addon = socket->addon;
  listener->socket = socket;
  if (socket->unreferenced) uv_unref((uv_handle_t *)&listener->handle);
  socket->listener = listener;
  return listener;
}

/* listen(callback): callback(failed) whenever there is something to receive, or (failed) a pending socket error */
napi_value socket_listen(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self;
  napi_valuetype type;
  napi_ref callback;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "listen");
  if (socket == NULL) return NULL;
  if (napi_typeof(env, arguments[0], &type) != napi_ok || type != napi_function) {
    return throw_type(env, "listener must be a function");
  }
  struct listener *listener = socket->listener == NULL ? create_listener(env, socket) : socket->listener;
  if (listener == NULL || napi_create_reference(env, arguments[0], 1, &callback) != napi_ok) return NULL;
  stop_listening(env, socket);
  int status = uv_poll_start(&listener->handle, UV_READABLE, on_readable);
  if (status < 0) {
    napi_delete_reference(env, callback);
    return throw_errno(env, -status, "uv_poll_start", "descriptor %d", socket->fd);
  }
  listener->callback = callback;
  napi_reference_ref(env, socket->self, NULL);
  return NULL;
}

napi_value socket_stop(napi_env env, napi_callback_info info) {
  napi_value self;
  if (!read_arguments(env, info, 0, NULL, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "stop");
  if (socket != NULL) stop_listening(env, socket);
  return NULL;
}

static napi_value set_unreferenced(napi_env env, napi_callback_info info, const char *operation, bool unreferenced) {
  napi_value self;
  if (!read_arguments(env, info, 0, NULL, &self)) return NULL;
  struct socket *socket = this_socket(env, self, operation);
  if (socket == NULL) return NULL;
  socket->unreferenced = unreferenced;
  if (socket->listener != NULL) {
    if (unreferenced) uv_unref((uv_handle_t *)&socket->listener->handle);
    else uv_ref((uv_handle_t *)&socket->listener->handle);
  }
  return NULL;
}

napi_value socket_ref(napi_env env, napi_callback_info info) {
  return set_unreferenced(env, info, "ref", false);
}

napi_value socket_unref(napi_env env, napi_callback_info info) {
  return set_unreferenced(env, info, "unref", true);
}

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* poll(timeoutMs): blocks this thread until a receive would return something (or its error), or the time is over */
napi_value socket_poll(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self, result;
  int64_t timeout;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "poll");
  if (socket == NULL || !read_integer(env, arguments[0], "timeoutMs", 0, INT32_MAX, &timeout)) return NULL;
  struct pollfd entry = {socket->fd, POLLIN, 0};
  int64_t end = monotonic_ms() + timeout;
  int ready;
  while ((ready = poll(&entry, 1, (int)timeout)) < 0 && errno == EINTR) {
    timeout = end - monotonic_ms();
    if (timeout < 0) timeout = 0;
  }
  if (ready < 0) return throw_errno(env, errno, "poll", "descriptor %d", socket->fd);
  return napi_get_boolean(env, ready > 0, &result) == napi_ok ? result : NULL;
}
