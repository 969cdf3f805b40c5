/*
 * Bytes in and out, many datagrams for one system call.
 *
 * recvmmsg writes into one space per environment, shared by its sockets: a receive is synchronous, and every message is
 * copied out to memory of its own before the call returns. So a thousand idle sockets cost no buffers, and a message
 * that is kept never changes. The space grows to the largest that a socket of the environment asked for; pages that no
 * datagram ever reached are never made resident.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for control messages of one datagram: packet info, hop limit, timestamps and auxdata together stay below it. */
#define CONTROL_SIZE 512

struct receive_space {
  uint32_t batch, message_size;
  struct mmsghdr *headers;
  struct iovec *vectors;
  struct sockaddr_storage *addresses;
  uint8_t *control; /* batch * CONTROL_SIZE; aligned as malloc aligns, hence for cmsghdr */
  uint8_t *data;    /* batch * message_size */
};

void free_receive_space(struct addon *addon) {
  struct receive_space *space = addon->receive;
  if (space == NULL) return;
  free(space->headers);
  free(space->vectors);
  free(space->addresses);
  free(space->control);
  free(space->data);
  free(space);
  addon->receive = NULL;
}

static struct receive_space *receive_space(struct addon *addon, uint32_t batch, uint32_t message_size) {
  struct receive_space *space = addon->receive;
  if (space != NULL && space->batch >= batch && space->message_size >= message_size) return space;
  if (space != NULL) {
    if (space->batch > batch) batch = space->batch;
    if (space->message_size > message_size) message_size = space->message_size;
    free_receive_space(addon);
  }
  space = calloc(1, sizeof *space);
  if (space == NULL) return NULL;
  addon->receive = space;
  space->batch = batch;
  space->message_size = message_size;
  space->headers = calloc(batch, sizeof *space->headers);
  space->vectors = calloc(batch, sizeof *space->vectors);
  space->addresses = calloc(batch, sizeof *space->addresses);
  space->control = malloc((size_t)batch * CONTROL_SIZE);
  space->data = malloc((size_t)batch * message_size);
  if (space->headers == NULL || space->vectors == NULL || space->addresses == NULL || space->control == NULL ||
      space->data == NULL) {
    free_receive_space(addon);
    return NULL;
  }
  return space;
}

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
    total += (uint32_t)sent;
    if ((uint32_t)sent < chunk) break;
  }
  return napi_create_uint32(env, total, &result) == napi_ok ? result : NULL;
}

/* The control messages of one datagram as [level, type, data, level, type, data, ...]; undefined when it has none. */
static napi_status create_control(napi_env env, struct msghdr *message, napi_value *result) {
  napi_status status = napi_get_undefined(env, result);
  uint32_t index = 0;
  for (struct cmsghdr *control = CMSG_FIRSTHDR(message); status == napi_ok && control != NULL;
       control = CMSG_NXTHDR(message, control)) {
    napi_value level, type, data;
    if (index == 0) status = napi_create_array(env, result);
    if (status == napi_ok) status = napi_create_int32(env, control->cmsg_level, &level);
    if (status == napi_ok) status = napi_create_int32(env, control->cmsg_type, &type);
    if (status == napi_ok) {
      status = napi_create_buffer_copy(env, control->cmsg_len - CMSG_LEN(0), CMSG_DATA(control), NULL, &data);
    }
    if (status == napi_ok) status = napi_set_element(env, *result, index++, level);
    if (status == napi_ok) status = napi_set_element(env, *result, index++, type);
    if (status == napi_ok) status = napi_set_element(env, *result, index++, data);
  }
  return status;
}

/* One datagram as four elements of the result: data, address, flags, control. */
static napi_status append_message(napi_env env, napi_value array, uint32_t index, struct mmsghdr *header,
                                  size_t message_size) {
  struct msghdr *message = &header->msg_hdr;
  /* With MSG_TRUNC asked for, the kernel says how long the datagram was, not how much of it is here. */
  size_t length = header->msg_len < message_size ? header->msg_len : message_size;
  size_t address_length = message->msg_namelen;
  if (address_length > sizeof(struct sockaddr_storage)) address_length = sizeof(struct sockaddr_storage);
  napi_value data, address, flags, control;
  napi_status status = napi_create_buffer_copy(env, length, message->msg_iov->iov_base, NULL, &data);
  if (status == napi_ok) status = napi_create_buffer_copy(env, address_length, message->msg_name, NULL, &address);
  if (status == napi_ok) status = napi_create_int32(env, message->msg_flags, &flags);
  if (status == napi_ok) status = create_control(env, message, &control);
  if (status == napi_ok) status = napi_set_element(env, array, index, data);
  if (status == napi_ok) status = napi_set_element(env, array, index + 1, address);
  if (status == napi_ok) status = napi_set_element(env, array, index + 2, flags);
  if (status == napi_ok) status = napi_set_element(env, array, index + 3, control);
  return status;
}

/* receive(max, flags): [data, address, flags, control, ...] of what is there now, at most the socket's batch */
napi_value socket_receive(napi_env env, napi_callback_info info) {
  napi_value arguments[2], self, result;
  int64_t max, flags;
  if (!read_arguments(env, info, 2, arguments, &self)) return NULL;
  struct socket *socket = this_socket(env, self, "recvmmsg");
  if (socket == NULL || !read_integer(env, arguments[0], "max", 1, INT32_MAX, &max) ||
      !read_integer(env, arguments[1], "flags", 0, INT32_MAX, &flags)) {
    return NULL;
  }
  if (max > socket->batch) max = socket->batch;
  struct receive_space *space = receive_space(socket->addon, socket->batch, socket->message_size);
  if (space == NULL) {
    return throw_errno(env, ENOMEM, "malloc", "receive space for %u messages of %u bytes", socket->batch,
                       socket->message_size);
  }
  for (int64_t index = 0; index < max; index++) {
    space->vectors[index] = (struct iovec){space->data + (size_t)index * space->message_size, socket->message_size};
    space->headers[index].msg_hdr = (struct msghdr){.msg_name = &space->addresses[index],
                                                    .msg_namelen = sizeof(struct sockaddr_storage),
                                                    .msg_iov = &space->vectors[index],
                                                    .msg_iovlen = 1,
                                                    .msg_control = space->control + index * CONTROL_SIZE,
                                                    .msg_controllen = CONTROL_SIZE};
  }
  int received;
  do {
    received = recvmmsg(socket->fd, space->headers, (unsigned)max, (int)flags | MSG_DONTWAIT, NULL);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) return throw_errno(env, errno, "recvmmsg", "descriptor %d", socket->fd);
    received = 0;
  }
  if (napi_create_array_with_length(env, (size_t)received * 4, &result) != napi_ok) return NULL;
  for (int index = 0; index < received; index++) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return NULL;
    napi_status status =
        append_message(env, result, (uint32_t)index * 4, &space->headers[index], socket->message_size);
    napi_close_handle_scope(env, scope);
    if (status != napi_ok) {
      bool pending = false;
      napi_is_exception_pending(env, &pending);
      return pending ? NULL : throw_errno(env, ENOMEM, "recvmmsg", "memory for %d messages", received);
    }
  }
  return result;
}
