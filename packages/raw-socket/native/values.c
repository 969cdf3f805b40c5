/*
 * JavaScript values to C. Nothing is converted: a number must be an integer of its range, bytes must be a Uint8Array.
 * N-API's own napi_get_value_int32 would turn NaN, 1.5 and 2**40 into some number without a word.
 */
#include "addon.h"

#include <linux/limits.h>
#include <math.h>
#include <string.h>

bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments, napi_value *self) {
  /* Missing arguments become undefined. */
  return napi_get_cb_info(env, info, &count, arguments, self, NULL) == napi_ok;
}

bool is_absent(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

bool read_integer(napi_env env, napi_value value, const char *name, int64_t minimum, int64_t maximum, int64_t *result) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) {
    throw_type(env, "%s must be a number", name);
    return false;
  }
  if (!(number >= (double)minimum && number <= (double)maximum) || number != trunc(number)) {
    throw_range(env, "%s must be an integer from %lld to %lld, not %g", name, (long long)minimum, (long long)maximum,
                number);
    return false;
  }
  *result = (int64_t)number;
  return true;
}

bool read_bytes(napi_env env, napi_value value, const char *name, struct bytes *result) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  void *data = NULL;
  size_t length = 0;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    throw_type(env, "%s must be a Uint8Array or Buffer", name);
    return false;
  }
  /* A detached array has no memory; the kernel is given an address all the same. */
  static uint8_t nothing;
  result->data = data == NULL ? &nothing : data;
  result->length = data == NULL ? 0 : length;
  return true;
}

bool read_address(napi_env env, napi_value value, struct bytes *result) {
  if (!read_bytes(env, value, "address", result)) return false;
  if (result->length < sizeof(sa_family_t) || result->length > sizeof(struct sockaddr_storage)) {
    throw_range(env, "address must be a socket address of %zu to %zu bytes, not %zu", sizeof(sa_family_t),
                sizeof(struct sockaddr_storage), result->length);
    return false;
  }
  return true;
}

bool read_path(napi_env env, napi_value value, const char *name, char *buffer, size_t size) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
    throw_type(env, "%s must be a string", name);
    return false;
  }
  if (length == 0 || length >= size) {
    throw_range(env, "%s must have 1 to %zu bytes, not %zu", name, size - 1, length);
    return false;
  }
  if (napi_get_value_string_utf8(env, value, buffer, size, &length) != napi_ok) return false;
  if (strlen(buffer) != length) {
    throw_range(env, "%s must not contain a null character", name);
    return false;
  }
  return true;
}
