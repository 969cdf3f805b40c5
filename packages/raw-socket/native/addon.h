/*
 * What the files of this addon share.
 *
 *   module.c     what Node sees: the Socket class, the namespace functions, the constants
 *   socket.c     a socket's life: open, bind, options, close; who owns it and when it goes away
 *   message.c    bytes in and out: sendto, sendmmsg, recvmmsg
 *   listen.c     readiness: uv_poll on the event loop, poll(2) for the impatient
 *   absorb.c     datagrams that come again and again, which JavaScript is not called for
 *   repeat.c     datagrams that are sent again and again, which JavaScript is not called for
 *   exchange.c   a question over a connection of its own, and its answer, which JavaScript is called for once
 *   netns.c      network namespaces: enter, create, delete
 *   values.c     JavaScript values to C, strictly
 *   errors.c     errno to JavaScript errors with code, errno and syscall
 *   constants.c  numbers of the kernel's headers
 *
 * Threads: everything about one `struct addon` and its sockets happens on the thread of one Node environment (the main
 * thread or one worker). Nothing is shared between environments.
 */
#ifndef FAIRLEAD_RAW_SOCKET_ADDON_H
#define FAIRLEAD_RAW_SOCKET_ADDON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

/* Most datagrams that one recvmmsg or sendmmsg may carry (UIO_MAXIOV of the kernel). */
#define MAX_BATCH 1024
/* Largest receive buffer of one datagram that a caller may ask for. */
#define MAX_MESSAGE_SIZE (16 * 1024 * 1024)
/* Longest that a listening thread may stand still for the rest of a burst. */
#define MAX_GATHER_US 10000

struct exchanges;

/* One Node environment: the main thread, or one worker. */
struct addon {
  napi_env env;
  struct socket *sockets;          /* every socket that is open */
  struct exchanges *exchanges;     /* NULL until there is one */
  unsigned closing;                /* uv handles whose close callback is still to come */
  napi_async_cleanup_hook_handle cleanup;
  bool tearing_down;
  uint64_t repeating_since;        /* on the clock of the event loop, ms; 0 until something is repeated */
};

struct listener;
struct absorbed;
struct repeated;
struct watch;

/* One socket. It belongs to its JavaScript object and is freed by that object's finalizer. */
struct socket {
  struct addon *addon;
  struct socket *next, *previous;
  int fd;                          /* -1 once closed */
  uint32_t message_size, batch;    /* of one receive */
  uint32_t gather_us;              /* how long the rest of a burst is waited for before a listener is called */
  bool unreferenced;               /* does not keep the event loop alive */
  int error;                       /* that the kernel has told, and nobody here yet */
  struct absorbed **absorbed;      /* NULL where a place is free */
  uint32_t absorbed_size, absorbed_next;
  struct watch *watch;             /* for what is absorbed, NULL until somebody wants to know when it is late */
  struct repeated *repeated;
  uint32_t repeated_next;          /* what names the next one */
  napi_ref self;                   /* weak, but strong while listening or repeating: see listen.c, repeat.c */
  struct listener *listener;
};

/* What went wrong in which system call; error is 0 when nothing did. */
struct failure {
  int error;
  const char *syscall;
};

/* errors.c */
napi_value throw_errno(napi_env env, int error, const char *syscall, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
napi_value create_errno(napi_env env, int error, const char *syscall, const char *detail);
napi_value throw_type(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
napi_value throw_range(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* values.c: each returns false with a JavaScript exception pending */
struct bytes {
  uint8_t *data;
  size_t length;
};
bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments, napi_value *self);
bool is_absent(napi_env env, napi_value value);
bool read_integer(napi_env env, napi_value value, const char *name, int64_t minimum, int64_t maximum, int64_t *result);
bool read_bytes(napi_env env, napi_value value, const char *name, struct bytes *result);
bool read_address(napi_env env, napi_value value, struct bytes *result);
bool read_path(napi_env env, napi_value value, const char *name, char *buffer, size_t size);

/* socket.c */
extern const napi_type_tag socket_tag;
struct socket *this_socket(napi_env env, napi_value self, const char *operation);
void close_socket(napi_env env, struct socket *socket);
napi_value socket_new(napi_env env, napi_callback_info info);
napi_value socket_fd(napi_env env, napi_callback_info info);
napi_value socket_bind(napi_env env, napi_callback_info info);
napi_value socket_connect(napi_env env, napi_callback_info info);
napi_value socket_getsockname(napi_env env, napi_callback_info info);
napi_value socket_setsockopt(napi_env env, napi_callback_info info);
napi_value socket_getsockopt(napi_env env, napi_callback_info info);
napi_value socket_attach_filter(napi_env env, napi_callback_info info);
napi_value socket_close(napi_env env, napi_callback_info info);

/* message.c */
napi_value socket_send(napi_env env, napi_callback_info info);
napi_value socket_send_batch(napi_env env, napi_callback_info info);
napi_value socket_send_packed(napi_env env, napi_callback_info info);
napi_value socket_receive(napi_env env, napi_callback_info info);

/* The datagram at an offset, which moves on behind it; false where the memory ends too early. In packed memory are, for each datagram and
   not aligned: uint16 length of the address, uint16 length of the datagram, then both. */
bool unpack(const struct bytes *packed, size_t *offset, struct mmsghdr *header, struct iovec *vector);

/* listen.c */
napi_value socket_listen(napi_env env, napi_callback_info info);
napi_value socket_stop(napi_env env, napi_callback_info info);
napi_value socket_ref(napi_env env, napi_callback_info info);
napi_value socket_unref(napi_env env, napi_callback_info info);
napi_value socket_poll(napi_env env, napi_callback_info info);
void close_listener(napi_env env, struct socket *socket);
/* Hands an exception that a callback threw to process.on('uncaughtException'), as for any other event. */
void report_exception(napi_env env);
/* Calls a function without arguments from the event loop. It may close any socket. */
void call_back(napi_env env, napi_ref callback);

/* absorb.c */
napi_value socket_absorb(napi_env env, napi_callback_info info);
napi_value socket_absorbed(napi_env env, napi_callback_info info);
napi_value socket_heed(napi_env env, napi_callback_info info);
napi_value socket_watch(napi_env env, napi_callback_info info);
bool absorb_pending(struct socket *socket);
void free_absorbed(napi_env env, struct socket *socket);

/* repeat.c */
napi_value socket_repeat(napi_env env, napi_callback_info info);
napi_value socket_repeated(napi_env env, napi_callback_info info);
napi_value socket_cease(napi_env env, napi_callback_info info);
void close_all_repeated(napi_env env, struct socket *socket);

/* exchange.c */
napi_value exchange(napi_env env, napi_callback_info info);
napi_value give_up(napi_env env, napi_callback_info info);
void close_all_exchanges(struct addon *addon);

/* module.c */
void finish_cleanup(struct addon *addon);

/* netns.c */
int open_socket_in_netns(const char *path, int domain, int type, int protocol, struct failure *failure);
napi_value in_netns(napi_env env, napi_callback_info info);
napi_value create_netns(napi_env env, napi_callback_info info);
napi_value delete_netns(napi_env env, napi_callback_info info);

/* constants.c */
napi_value create_constants(napi_env env);

#endif
