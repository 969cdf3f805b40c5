/*
 * Datagrams that say the same again and again: an owner advertises ten times a second what it did before, and entering
 * JavaScript for each costs fifty times what it takes to compare it here. JavaScript names such a datagram (absorb), and
 * from then on is not called for it, but can ask when it came last, and be called when it has not come for too long.
 *
 * A datagram is looked at before it is taken, so one that nobody named, and whatever came behind it, is left to be
 * received as ever, in its order.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ABSORBED 65536
#define MAX_ABSORBED_SIZE 2048

struct absorbed {
  uint64_t came; /* uv_hrtime; 0: not since this was asked for */
  uint64_t last; /* the same, whoever asked; at first, when it was named */
  uint64_t patience; /* ns after that JavaScript is called; 0: it is not */
  napi_ref on_late;
  size_t address_length, length;
  uint8_t bytes[]; /* address, data, mask */
};

/* One timer for all that a socket absorbs, set to when the first of it would be late. In memory of its own, as libuv lets go of it later. */
struct watch {
  uv_timer_t timer;
  struct addon *addon;
  struct socket *socket; /* NULL once closing */
};

static bool is_same(const struct absorbed *known, const struct sockaddr_storage *address, socklen_t address_length,
                    const uint8_t *data, size_t length) {
  if (known == NULL || known->length != length || known->address_length != address_length) return false;
  if (memcmp(known->bytes, address, address_length) != 0) return false;
  const uint8_t *expected = known->bytes + address_length, *mask = expected + length;
  for (size_t at = 0; at < length; at++) {
    if (((expected[at] ^ data[at]) & mask[at]) != 0) return false;
  }
  return true;
}

/* What is sent together comes in the same order each time: whoever is behind the one that was found last goes first. */
static struct absorbed *find(struct socket *socket, const struct sockaddr_storage *address, socklen_t address_length,
                             const uint8_t *data, size_t length) {
  for (uint32_t tried = 0; tried < socket->absorbed_size; tried++) {
    uint32_t index = (socket->absorbed_next + tried) % socket->absorbed_size;
    struct absorbed *known = socket->absorbed[index];
    if (!is_same(known, address, address_length, data, length)) continue;
    socket->absorbed_next = index + 1;
    return known;
  }
  return NULL;
}

/* Takes what is to be absorbed, up to the first datagram that is not. False: there is something for JavaScript. */
bool absorb_pending(struct socket *socket) {
  if (socket->absorbed_size == 0 || socket->error != 0) return false;
  for (unsigned taken = 0; taken < MAX_BATCH; taken++) {
    uint8_t data[MAX_ABSORBED_SIZE];
    struct sockaddr_storage address;
    socklen_t address_length = sizeof address;
    ssize_t length = recvfrom(socket->fd, data, sizeof data, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT,
                              (struct sockaddr *)&address, &address_length);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return true;
      /* The kernel tells it once: the next receive says it. */
      socket->error = errno;
      return false;
    }
    if (length > (ssize_t)sizeof data || address_length > sizeof address) return false;
    struct absorbed *known = find(socket, &address, address_length, data, (size_t)length);
    if (known == NULL) return false;
    if (recv(socket->fd, data, 0, MSG_DONTWAIT) < 0 && errno != EAGAIN) {
      socket->error = errno;
      return false;
    }
    known->came = known->last = uv_hrtime();
  }
  return true;
}

static void free_one(napi_env env, struct absorbed *known) {
  if (known == NULL) return;
  if (known->on_late != NULL) napi_delete_reference(env, known->on_late);
  free(known);
}

static void on_watch_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  struct addon *addon = watch->addon;
  free(watch);
  addon->closing--;
  finish_cleanup(addon);
}

void free_absorbed(napi_env env, struct socket *socket) {
  for (uint32_t index = 0; index < socket->absorbed_size; index++) free_one(env, socket->absorbed[index]);
  free(socket->absorbed);
  if (socket->watch != NULL) {
    socket->watch->socket = NULL;
    socket->addon->closing++;
    uv_close((uv_handle_t *)&socket->watch->timer, on_watch_closed);
    socket->watch = NULL;
  }
  socket->absorbed = NULL;
  socket->absorbed_size = 0;
}

/* The first place that is free, or -1 without memory. */
static int64_t free_place(struct socket *socket) {
  for (uint32_t index = 0; index < socket->absorbed_size; index++) {
    if (socket->absorbed[index] == NULL) return index;
  }
  uint32_t size = socket->absorbed_size == 0 ? 16 : 2 * socket->absorbed_size;
  struct absorbed **more = realloc(socket->absorbed, size * sizeof *more);
  if (more == NULL) return -1;
  memset(more + socket->absorbed_size, 0, (size - socket->absorbed_size) * sizeof *more);
  uint32_t index = socket->absorbed_size;
  socket->absorbed = more;
  socket->absorbed_size = size;
  return index;
}

/* absorb(address, data, mask): a number that names it */
napi_value socket_absorb(napi_env env, napi_callback_info info) {
  napi_value arguments[3], self, result;
  struct bytes address, data, mask;
  if (!read_arguments(env, info, 3, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "absorb");
  if (socket == NULL || !read_bytes(env, arguments[0], "address", &address) ||
      !read_bytes(env, arguments[1], "data", &data) || !read_bytes(env, arguments[2], "mask", &mask)) {
    return NULL;
  }
  if (address.length > sizeof(struct sockaddr_storage) || data.length > MAX_ABSORBED_SIZE) {
    return throw_range(env, "address must have at most %zu bytes, and data %d", sizeof(struct sockaddr_storage),
                       MAX_ABSORBED_SIZE);
  }
  if (mask.length != data.length) {
    return throw_range(env, "mask must have as many bytes as data, %zu, not %zu", data.length, mask.length);
  }
  struct absorbed *named = malloc(sizeof *named + address.length + 2 * data.length);
  int64_t place = named == NULL ? -1 : free_place(socket);
  if (place < 0 || place >= MAX_ABSORBED) {
    free(named);
    return throw_errno(env, ENOMEM, "malloc", "a datagram to absorb, one of at most %d", MAX_ABSORBED);
  }
  *named = (struct absorbed){.last = uv_hrtime(), .address_length = address.length, .length = data.length};
  memcpy(named->bytes, address.data, address.length);
  memcpy(named->bytes + address.length, data.data, data.length);
  memcpy(named->bytes + address.length + data.length, mask.data, mask.length);
  socket->absorbed[place] = named;
  return napi_create_int64(env, place, &result) == napi_ok ? result : NULL;
}

/* Reads a number that absorb() gave; NULL with an exception where it names nothing. */
static struct absorbed **read_place(napi_env env, struct socket *socket, napi_value number) {
  int64_t place;
  if (!read_integer(env, number, "place", 0, MAX_ABSORBED, &place)) return NULL;
  if (place < socket->absorbed_size && socket->absorbed[place] != NULL) return &socket->absorbed[place];
  throw_range(env, "nothing is absorbed at place %lld", (long long)place);
  return NULL;
}

/* The same for a method whose only argument it is. */
static struct absorbed **read_absorbed(napi_env env, napi_callback_info info, const char *operation) {
  napi_value arguments[1], self;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, operation);
  return socket == NULL ? NULL : read_place(env, socket, arguments[0]);
}

/* absorbed(place): how long ago it came, ms; -1: not since this was asked for last */
napi_value socket_absorbed(napi_env env, napi_callback_info info) {
  napi_value result;
  struct absorbed **known = read_absorbed(env, info, "absorbed");
  if (known == NULL) return NULL;
  uint64_t came = (*known)->came;
  (*known)->came = 0;
  double ago = came == 0 ? -1 : (double)(uv_hrtime() - came) / 1e6;
  return napi_create_double(env, ago, &result) == napi_ok ? result : NULL;
}

/* heed(place): it is not absorbed any more */
napi_value socket_heed(napi_env env, napi_callback_info info) {
  struct absorbed **known = read_absorbed(env, info, "heed");
  if (known == NULL) return NULL;
  free_one(env, *known);
  *known = NULL;
  return NULL;
}

/* What is watched and late by then, or else NULL, and when the next one would be; UINT64_MAX: none is watched. */
static struct absorbed *find_late(struct socket *socket, uint64_t now, uint64_t *next) {
  *next = UINT64_MAX;
  for (uint32_t index = 0; index < socket->absorbed_size; index++) {
    struct absorbed *known = socket->absorbed[index];
    if (known == NULL || known->patience == 0) continue;
    uint64_t at = known->last + known->patience;
    if (at <= now) return known;
    if (at < *next) *next = at;
  }
  return NULL;
}

/* Whole ms until then, never too few. */
static uint64_t ms_until(uint64_t at, uint64_t now) {
  return at <= now ? 0 : (at - now + 999999) / 1000000;
}

static void on_watch(uv_timer_t *timer) {
  struct watch *watch = timer->data;
  /* Timers come before sockets: what came while this thread was busy is not late. */
  if (watch->socket != NULL && watch->socket->listener != NULL) absorb_pending(watch->socket);
  uint64_t now = uv_hrtime(), next = UINT64_MAX;
  struct absorbed *late;
  while (watch->socket != NULL && (late = find_late(watch->socket, now, &next)) != NULL) {
    late->patience = 0;
    /* After this call it may be heeded, watched again, or the socket closed. */
    call_back(watch->addon->env, late->on_late);
  }
  if (watch->socket == NULL || next == UINT64_MAX) return;
  uv_timer_start(timer, on_watch, ms_until(next, now), 0);
}

static bool create_watch(napi_env env, struct socket *socket) {
  uv_loop_t *loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return false;
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) {
    throw_errno(env, ENOMEM, "malloc", "a timer for what is absorbed");
    return false;
  }
  uv_timer_init(loop, &watch->timer);
  uv_unref((uv_handle_t *)&watch->timer);
  watch->timer.data = watch;
  watch->addon = socket->addon;
  watch->socket = socket;
  socket->watch = watch;
  return true;
}

/* watch(place, patienceMs, onLate): calls once when it has not come for so long, counted from its last time, or from when it was named */
napi_value socket_watch(napi_env env, napi_callback_info info) {
  napi_value arguments[3], self;
  int64_t patience_ms;
  napi_valuetype type;
  if (!read_arguments(env, info, 3, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "watch");
  struct absorbed **place;
  if (socket == NULL || (place = read_place(env, socket, arguments[0])) == NULL ||
      !read_integer(env, arguments[1], "patienceMs", 1, INT32_MAX, &patience_ms)) {
    return NULL;
  }
  if (napi_typeof(env, arguments[2], &type) != napi_ok || type != napi_function) {
    return throw_type(env, "onLate must be a function");
  }
  struct absorbed *known = *place;
  napi_ref on_late;
  if ((socket->watch == NULL && !create_watch(env, socket)) ||
      napi_create_reference(env, arguments[2], 1, &on_late) != napi_ok) {
    return NULL;
  }
  if (known->on_late != NULL) napi_delete_reference(env, known->on_late);
  known->on_late = on_late;
  known->patience = (uint64_t)patience_ms * 1000000;
  uint64_t delay = ms_until(known->last + known->patience, uv_hrtime());
  /* One that is set to an earlier time sets it anew by itself. */
  if (!uv_is_active((uv_handle_t *)&socket->watch->timer) || uv_timer_get_due_in(&socket->watch->timer) > delay) {
    uv_timer_start(&socket->watch->timer, on_watch, delay, 0);
  }
  return NULL;
}
