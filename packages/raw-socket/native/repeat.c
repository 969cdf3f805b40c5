/*
 * Datagrams that are sent again and again: an owner advertises the same ten times a second, and entering JavaScript for
 * that costs more than the sending. JavaScript says once what to send and how often (repeat), and from then on is called
 * only when it did not go as it should: something was refused, or a turn came so late that it must not be sent any more.
 * Then nothing is sent until JavaScript says so again.
 *
 * The timer is one of the event loop of the thread, so that a thread that is stuck says nothing. As long as it runs the socket's object is held by
 * a strong reference, as while it listens (listen.c).
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DATAGRAMS 65536

struct repeated {
  uv_timer_t timer;
  struct addon *addon;
  struct socket *socket; /* NULL once closing */
  struct repeated *next;
  uint32_t place;
  napi_ref callback;
  uint64_t every;        /* ms */
  uint64_t within, sent; /* ns; uv_hrtime */
  bool missed;           /* JavaScript was called, and nothing is sent any more */
  unsigned count;
  struct mmsghdr *headers; /* of what is packed; one block with the vectors and the datagrams behind them */
};

static void on_closed(uv_handle_t *handle) {
  struct repeated *repeated = handle->data;
  struct addon *addon = repeated->addon;
  free(repeated->headers);
  free(repeated);
  addon->closing--;
  finish_cleanup(addon);
}

static void close_repeated(napi_env env, struct repeated *repeated) {
  if (!repeated->missed) napi_reference_unref(env, repeated->socket->self, NULL);
  napi_delete_reference(env, repeated->callback);
  repeated->socket = NULL;
  repeated->addon->closing++;
  uv_close((uv_handle_t *)&repeated->timer, on_closed);
}

void close_all_repeated(napi_env env, struct socket *socket) {
  while (socket->repeated != NULL) {
    struct repeated *repeated = socket->repeated;
    socket->repeated = repeated->next;
    close_repeated(env, repeated);
  }
}

/* Whether all of it went. */
static bool send_all(struct repeated *repeated) {
  for (unsigned sent = 0; sent < repeated->count;) {
    unsigned rest = repeated->count - sent;
    int more = sendmmsg(repeated->socket->fd, repeated->headers + sent, rest < MAX_BATCH ? rest : MAX_BATCH,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) return false;
    sent += (unsigned)more;
  }
  return true;
}

static void on_timer(uv_timer_t *timer);

/*
 * Whatever is repeated as often, or in a multiple of that, takes its turn at the same time: to wake up costs more than what is done then.
 * So the first time comes early, and a late one does not make the next ones late.
 */
static void await_turn(struct repeated *repeated) {
  uint64_t now = uv_now(repeated->timer.loop);
  if (repeated->addon->repeating_since == 0) repeated->addon->repeating_since = now;
  uint64_t passed = (now - repeated->addon->repeating_since) % repeated->every;
  uv_timer_start(&repeated->timer, on_timer, repeated->every - passed, 0);
}

static void on_timer(uv_timer_t *timer) {
  struct repeated *repeated = timer->data;
  if (repeated->socket == NULL) return;
  uint64_t now = uv_hrtime();
  if (now - repeated->sent < repeated->within && send_all(repeated)) {
    repeated->sent = now;
    await_turn(repeated);
    return;
  }
  repeated->missed = true;
  napi_env env = repeated->addon->env;
  napi_reference_unref(env, repeated->socket->self, NULL);
  /* After this call it may be ceased, or the socket closed: nothing is touched again. */
  call_back(env, repeated->callback);
}

/* One block: the headers, the vectors, and a copy of what is packed, which they point into. False: an exception. */
static bool read_packed(napi_env env, const struct bytes *packed, struct repeated *repeated) {
  unsigned count = 0;
  for (size_t offset = 0; offset < packed->length; count++) {
    struct mmsghdr header;
    struct iovec vector;
    if (count == MAX_DATAGRAMS || !unpack(packed, &offset, &header, &vector)) {
      throw_range(env, "packed must be what packDatagrams made of at most %d datagrams", MAX_DATAGRAMS);
      return false;
    }
  }
  size_t fixed = count * (sizeof(struct mmsghdr) + sizeof(struct iovec));
  repeated->headers = malloc(fixed + packed->length + 1);
  if (repeated->headers == NULL) {
    throw_errno(env, ENOMEM, "malloc", "%u datagrams to repeat", count);
    return false;
  }
  repeated->count = count;
  struct iovec *vectors = (struct iovec *)(repeated->headers + count);
  struct bytes copy = {(uint8_t *)repeated->headers + fixed, packed->length};
  memcpy(copy.data, packed->data, packed->length);
  size_t offset = 0;
  for (unsigned index = 0; index < count; index++) {
    if (unpack(&copy, &offset, &repeated->headers[index], &vectors[index])) continue;
    /* Another thread has written there meanwhile. */
    free(repeated->headers);
    throw_range(env, "packed has changed while it was read");
    return false;
  }
  return true;
}

/*
 * repeat(packed, everyMs, withinMs, agoMs, onMissed): a number that names it. Counts as sent so long ago, and is sent next within everyMs. Where nothing
 * is packed, that is sent.
 */
napi_value socket_repeat(napi_env env, napi_callback_info info) {
  napi_value arguments[5], self, result;
  struct bytes packed;
  int64_t every_ms, within_ms;
  double ago_ms;
  napi_valuetype type;
  uv_loop_t *loop;
  if (!read_arguments(env, info, 5, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "repeat");
  if (socket == NULL || !read_bytes(env, arguments[0], "packed", &packed) ||
      !read_integer(env, arguments[1], "everyMs", 1, INT32_MAX, &every_ms) ||
      !read_integer(env, arguments[2], "withinMs", 1, INT32_MAX, &within_ms)) {
    return NULL;
  }
  if (napi_get_value_double(env, arguments[3], &ago_ms) != napi_ok || !(ago_ms >= 0 && ago_ms <= INT32_MAX)) {
    return throw_range(env, "agoMs must be a number from 0 to %d", INT32_MAX);
  }
  if (napi_typeof(env, arguments[4], &type) != napi_ok || type != napi_function) {
    return throw_type(env, "onMissed must be a function");
  }
  struct repeated *repeated = calloc(1, sizeof *repeated);
  if (repeated == NULL) return throw_errno(env, ENOMEM, "malloc", "a repetition's state");
  if (!read_packed(env, &packed, repeated)) {
    free(repeated);
    return NULL;
  }
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_create_reference(env, arguments[4], 1, &repeated->callback) != napi_ok) {
    free(repeated->headers);
    free(repeated);
    return NULL;
  }
  uv_timer_init(loop, &repeated->timer);
  repeated->timer.data = repeated;
  repeated->addon = socket->addon;
  repeated->socket = socket;
  repeated->place = socket->repeated_next++;
  repeated->every = (uint64_t)every_ms;
  repeated->within = (uint64_t)within_ms * 1000000;
  repeated->sent = uv_hrtime() - (uint64_t)(ago_ms * 1e6);
  repeated->next = socket->repeated;
  socket->repeated = repeated;
  napi_reference_ref(env, socket->self, NULL);
  await_turn(repeated);
  return napi_create_uint32(env, repeated->place, &result) == napi_ok ? result : NULL;
}

/* Reads a number that repeat() gave: what points to it; NULL with an exception where it names nothing. */
static struct repeated **read_repeated(napi_env env, napi_callback_info info, const char *operation) {
  napi_value arguments[1], self;
  int64_t place;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, operation);
  if (socket == NULL || !read_integer(env, arguments[0], "place", 0, UINT32_MAX, &place)) return NULL;
  for (struct repeated **at = &socket->repeated; *at != NULL; at = &(*at)->next) {
    if ((*at)->place == place) return at;
  }
  throw_range(env, "nothing is repeated at place %lld", (long long)place);
  return NULL;
}

/* repeated(place): how long ago it was sent last, ms */
napi_value socket_repeated(napi_env env, napi_callback_info info) {
  napi_value result;
  struct repeated **at = read_repeated(env, info, "repeated");
  if (at == NULL) return NULL;
  double ago = (double)(uv_hrtime() - (*at)->sent) / 1e6;
  return napi_create_double(env, ago, &result) == napi_ok ? result : NULL;
}

/* cease(place): it is not repeated any more */
napi_value socket_cease(napi_env env, napi_callback_info info) {
  struct repeated **at = read_repeated(env, info, "cease");
  if (at == NULL) return NULL;
  struct repeated *repeated = *at;
  *at = repeated->next;
  close_repeated(env, repeated);
  return NULL;
}
