/*
 * Bytes in and out, many datagrams for one system call.
 *
 * recvmmsg writes into memory that JavaScript lends (src/receive.ts), since JavaScript copies small datagrams out of it
 * several times faster than N-API can make a Buffer for each. Here the lengths are checked, nothing is trusted.
 */
#include "addon.h"

#include <errno.h>
#include <string.h>

/* send(data, address | undefined, flags): the number of bytes sent */
napi_value socket_send(napi_env env, napi_callback_info info) {
  napi_value arguments[3], self, result;
  struct bytes data, address = {NULL, 0};
  int64_t flags;
  if (!read_arguments(env, info, 3, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "send");
  if (socket == NULL || !read_integer(env, arguments[2], "flags", 0, INT32_MAX, &flags)) return NULL;
  /* Memory is looked up last, when nothing can run JavaScript and move it any more. */
  if (!read_bytes(env, arguments[0], "data", &data)) return NULL;
  if (!is_absent(env, arguments[1]) && !read_address(env, arguments[1], &address)) return NULL;
  ssize_t sent;
  do {
    sent = sendto(socket->fd, data.data, data.length, (int)flags | MSG_DONTWAIT | MSG_NOSIGNAL,
                  (struct sockaddr *)address.data, (socklen_t)address.length);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return throw_errno(env, errno, "send", "%zu bytes", data.length);
  return napi_create_int64(env, sent, &result) == napi_ok ? result : NULL;
}

#define SEND_CHUNK 64

/* sendBatch(frames, address | undefined): how many frames went. Throws only when the first of them was refused. */
napi_value socket_send_batch(napi_env env, napi_callback_info info) {
  napi_value arguments[2], self, result;
  if (!read_arguments(env, info, 2, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "sendmmsg");
  if (socket == NULL) return NULL;
  bool is_array = false;
  uint32_t count;
  if (napi_is_array(env, arguments[0], &is_array) != napi_ok || !is_array ||
      napi_get_array_length(env, arguments[0], &count) != napi_ok) {
    return throw_type(env, "frames must be an array of Uint8Array");
  }
  uint32_t total = 0;
  while (total < count) {
    uint32_t chunk = count - total < SEND_CHUNK ? count - total : SEND_CHUNK;
    napi_value frames[SEND_CHUNK];
    struct bytes address = {NULL, 0};
    struct mmsghdr headers[SEND_CHUNK];
    struct iovec vectors[SEND_CHUNK];
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return NULL;
    /* Reading an element may run a getter, which may close this socket or detach what was read before. So first all
       elements, then the descriptor, then the memory: from there on no JavaScript runs. */
    bool readable = true;
    for (uint32_t index = 0; readable && index < chunk; index++) {
      readable = napi_get_element(env, arguments[0], total + index, &frames[index]) == napi_ok;
    }
    if (readable && socket->fd < 0) {
      throw_errno(env, EBADF, "sendmmsg", "the socket was closed by a getter of the frames");
      readable = false;
    }
    if (readable && !is_absent(env, arguments[1])) readable = read_address(env, arguments[1], &address);
    for (uint32_t index = 0; readable && index < chunk; index++) {
      struct bytes frame;
      readable = read_bytes(env, frames[index], "every frame", &frame);
      if (!readable) break;
      vectors[index] = (struct iovec){frame.data, frame.length};
      headers[index] = (struct mmsghdr){.msg_hdr = {.msg_name = address.data,
                                                    .msg_namelen = (socklen_t)address.length,
                                                    .msg_iov = &vectors[index],
                                                    .msg_iovlen = 1}};
    }
    int sent = -1, error = 0;
    if (readable) {
      do {
        sent = sendmmsg(socket->fd, headers, chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
      } while (sent < 0 && errno == EINTR);
      error = errno;
    }
    napi_close_handle_scope(env, scope);
    if (!readable) return NULL;
    if (sent < 0) {
      if (total == 0) return throw_errno(env, error, "sendmmsg", "the first of %u frames", count);
      break;
    }
    /* When it was not the whole chunk, the next call starts at the frame that was refused and learns why. */
    total += (uint32_t)sent;
  }
  return napi_create_uint32(env, total, &result) == napi_ok ? result : NULL;
}

bool unpack(const struct bytes *packed, size_t *offset, struct mmsghdr *header, struct iovec *vector) {
  uint16_t lengths[2];
  if (packed->length - *offset < sizeof lengths) return false;
  memcpy(lengths, packed->data + *offset, sizeof lengths);
  uint8_t *address = packed->data + *offset + sizeof lengths;
  if (packed->length - *offset - sizeof lengths < (size_t)lengths[0] + lengths[1]) return false;
  *vector = (struct iovec){address + lengths[0], lengths[1]};
  *header = (struct mmsghdr){.msg_hdr = {.msg_name = address, .msg_namelen = lengths[0], .msg_iov = vector, .msg_iovlen = 1}};
  *offset += sizeof lengths + lengths[0] + lengths[1];
  return true;
}

/* sendPacked(packed): how many datagrams went. Throws only when the first of them was refused. */
napi_value socket_send_packed(napi_env env, napi_callback_info info) {
  napi_value arguments[1], self, result;
  struct bytes packed;
  if (!read_arguments(env, info, 1, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "sendmmsg");
  if (socket == NULL || !read_bytes(env, arguments[0], "packed", &packed)) return NULL;
  uint32_t total = 0;
  for (size_t offset = 0; offset < packed.length;) {
    struct mmsghdr headers[SEND_CHUNK];
    struct iovec vectors[SEND_CHUNK];
    unsigned chunk = 0;
    for (; chunk < SEND_CHUNK && offset < packed.length; chunk++) {
      if (!unpack(&packed, &offset, &headers[chunk], &vectors[chunk])) {
        return throw_range(env, "packed must be what packDatagrams made");
      }
    }
    int sent;
    do {
      sent = sendmmsg(socket->fd, headers, chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && total == 0) return throw_errno(env, errno, "sendmmsg", "the first of several datagrams");
    if (sent > 0) total += (uint32_t)sent;
    if (sent < (int)chunk) break;
  }
  return napi_create_uint32(env, total, &result) == napi_ok ? result : NULL;
}

/* One slot of the lent memory: control messages, then the sender's address, then the datagram. */
#define CONTROL_SIZE 512 /* packet info, hop limit, timestamp and auxdata together stay well below it */
#define ADDRESS_SIZE sizeof(struct sockaddr_storage)
#define RESULTS_PER_MESSAGE 4

/* Bytes of a slot, a multiple of 8, so that every slot's control messages are aligned when the first one's are. */
static size_t slot_size_of(const struct socket *socket) {
  return CONTROL_SIZE + ADDRESS_SIZE + (((size_t)socket->message_size + 7) & ~(size_t)7);
}

/*
 * Rewrites the control messages of one datagram from the kernel's layout, which depends on the machine's word size, to
 * int32 level, int32 type, uint32 length, data, padded to 4 bytes. In place: that is never longer. Returns its length.
 */
static size_t pack_control(struct msghdr *message) {
  uint8_t *start = message->msg_control, *to = start;
  struct cmsghdr *next;
  for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = next) {
    /* Looked up before anything is moved. */
    next = CMSG_NXTHDR(message, control);
    uint32_t length = (uint32_t)(control->cmsg_len - CMSG_LEN(0));
    int32_t header[3] = {control->cmsg_level, control->cmsg_type, (int32_t)length};
    uint8_t *data = CMSG_DATA(control);
    memmove(to + sizeof header, data, length);
    memcpy(to, header, sizeof header);
    to += sizeof header + ((length + 3) & ~3u);
  }
  return (size_t)(to - start);
}

/*
 * receive(max, flags, memory, results): how many datagrams there were, at most the socket's batch. Slot i of the memory
 * (a Uint8Array) has datagram i, and results (an Int32Array) its lengths: datagram, address, flags, control.
 */
napi_value socket_receive(napi_env env, napi_callback_info info) {
  napi_value arguments[4], self, result;
  int64_t max, flags;
  struct bytes memory;
  if (!read_arguments(env, info, 4, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "recvmmsg");
  if (socket == NULL || !read_integer(env, arguments[0], "max", 1, INT32_MAX, &max) ||
      !read_integer(env, arguments[1], "flags", 0, INT32_MAX, &flags) ||
      !read_bytes(env, arguments[2], "memory", &memory)) {
    return NULL;
  }
  if (socket->error != 0) {
    int error = socket->error;
    socket->error = 0;
    return throw_errno(env, error, "recvmmsg", "descriptor %d", socket->fd);
  }
  if (max > socket->batch) max = socket->batch;
  bool is_typed_array = false;
  napi_typedarray_type type;
  int32_t *results;
  size_t result_count;
  if (napi_is_typedarray(env, arguments[3], &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, arguments[3], &type, &result_count, (void **)&results, NULL, NULL) != napi_ok ||
      type != napi_int32_array) {
    return throw_type(env, "results must be an Int32Array");
  }
  size_t slot_size = slot_size_of(socket);
  if (memory.length / slot_size < (size_t)max || result_count / RESULTS_PER_MESSAGE < (size_t)max ||
      (uintptr_t)memory.data % _Alignof(struct cmsghdr) != 0) {
    return throw_range(env, "memory for %lld messages needs aligned slots of %zu bytes", (long long)max, slot_size);
  }

  struct mmsghdr headers[MAX_BATCH];
  struct iovec vectors[MAX_BATCH];
  for (int64_t index = 0; index < max; index++) {
    uint8_t *slot = memory.data + (size_t)index * slot_size;
    vectors[index] = (struct iovec){slot + CONTROL_SIZE + ADDRESS_SIZE, socket->message_size};
    headers[index].msg_hdr = (struct msghdr){.msg_name = slot + CONTROL_SIZE,
                                             .msg_namelen = ADDRESS_SIZE,
                                             .msg_iov = &vectors[index],
                                             .msg_iovlen = 1,
                                             .msg_control = slot,
                                             .msg_controllen = CONTROL_SIZE};
  }
  int received;
  do {
    received = recvmmsg(socket->fd, headers, (unsigned)max, (int)flags | MSG_DONTWAIT, NULL);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) return throw_errno(env, errno, "recvmmsg", "descriptor %d", socket->fd);
    received = 0;
  }
  for (int index = 0; index < received; index++) {
    struct msghdr *message = &headers[index].msg_hdr;
    int32_t *lengths = results + index * RESULTS_PER_MESSAGE;
    /* With MSG_TRUNC asked for, the kernel says how long the datagram was, not how much of it is here. The address,
       too, may have been longer than its room. */
    lengths[0] = (int32_t)(headers[index].msg_len < socket->message_size ? headers[index].msg_len : socket->message_size);
    lengths[1] = (int32_t)(message->msg_namelen < ADDRESS_SIZE ? message->msg_namelen : ADDRESS_SIZE);
    lengths[2] = message->msg_flags;
    lengths[3] = (int32_t)pack_control(message);
  }
  return napi_create_int32(env, received, &result) == napi_ok ? result : NULL;
}
