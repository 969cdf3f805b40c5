/*
 * What Node sees, once for every environment that loads the addon: the main thread and every worker.
 *
 * An environment that ends (a worker is terminated, the program returns) closes the sockets that are still open. libuv
 * gives their poll handles back only in a later turn of the loop, so the environment is asked to wait for that: hence
 * the asynchronous clean-up hook.
 */
#include "addon.h"

#include <stdlib.h>

void finish_cleanup(struct addon *addon) {
  if (addon->tearing_down && addon->closing == 0 && addon->cleanup != NULL) {
    napi_async_cleanup_hook_handle handle = addon->cleanup;
    addon->cleanup = NULL;
    napi_remove_async_cleanup_hook(handle);
  }
}

static void on_cleanup(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct addon *addon = data;
  addon->tearing_down = true;
  while (addon->sockets != NULL) close_socket(addon->env, addon->sockets);
  close_all_exchanges(addon);
  finish_cleanup(addon);
}

/* Runs after the hook above, when the last reference of the environment goes. */
static void free_addon(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

#define METHOD(name, function) {name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL}
#define FUNCTION(name, function) {name, NULL, function, NULL, NULL, NULL, napi_enumerable, NULL}

NAPI_MODULE_INIT() {
  const napi_property_descriptor methods[] = {
      {"fd", NULL, NULL, socket_fd, NULL, NULL, napi_enumerable, NULL},
      METHOD("bind", socket_bind),
      METHOD("connect", socket_connect),
      METHOD("getsockname", socket_getsockname),
      METHOD("setsockopt", socket_setsockopt),
      METHOD("getsockopt", socket_getsockopt),
      METHOD("attachFilter", socket_attach_filter),
      METHOD("send", socket_send),
      METHOD("sendBatch", socket_send_batch),
      METHOD("sendPacked", socket_send_packed),
      METHOD("receive", socket_receive),
      METHOD("absorb", socket_absorb),
      METHOD("absorbed", socket_absorbed),
      METHOD("heed", socket_heed),
      METHOD("watch", socket_watch),
      METHOD("repeat", socket_repeat),
      METHOD("repeated", socket_repeated),
      METHOD("cease", socket_cease),
      METHOD("listen", socket_listen),
      METHOD("stop", socket_stop),
      METHOD("poll", socket_poll),
      METHOD("ref", socket_ref),
      METHOD("unref", socket_unref),
      METHOD("close", socket_close),
  };
  struct addon *addon = calloc(1, sizeof *addon);
  if (addon == NULL) {
    napi_throw_error(env, "ENOMEM", "not enough memory to load the raw socket addon");
    return NULL;
  }
  addon->env = env;
  napi_value socket_class, constants;
  if (napi_set_instance_data(env, addon, free_addon, NULL) != napi_ok) {
    free(addon);
    return NULL;
  }
  if (napi_add_async_cleanup_hook(env, on_cleanup, addon, &addon->cleanup) != napi_ok ||
      napi_define_class(env, "Socket", NAPI_AUTO_LENGTH, socket_new, NULL, sizeof methods / sizeof methods[0], methods,
                        &socket_class) != napi_ok ||
      (constants = create_constants(env)) == NULL) {
    return NULL;
  }
  const napi_property_descriptor members[] = {
      {"Socket", NULL, NULL, NULL, NULL, socket_class, napi_enumerable, NULL},
      {"constants", NULL, NULL, NULL, NULL, constants, napi_enumerable, NULL},
      FUNCTION("exchange", exchange),
      FUNCTION("giveUp", give_up),
      FUNCTION("inNetns", in_netns),
      FUNCTION("createNetns", create_netns),
      FUNCTION("deleteNetns", delete_netns),
  };
  if (napi_define_properties(env, exports, sizeof members / sizeof members[0], members) != napi_ok) return NULL;
  return exports;
}
