/*
 * Errors as Node's own look: message `EPERM: operation not permitted, bind (why, or what to do)`, and the properties
 * code ('EPERM'), errno (negative) and syscall ('bind'). Misuse is a TypeError or RangeError with Node's code for it.
 */
#include "addon.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* libuv's name, which is what the rest of Node says (ENOTSUP for 95); it knows only the errors that libuv meets. */
static void error_name(int error, char *name, size_t size) {
  uv_err_name_r(-error, name, size);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
  if (strncmp(name, "Unknown", 7) == 0 && strerrorname_np(error) != NULL) snprintf(name, size, "%s", strerrorname_np(error));
#endif
}

static void error_text(int error, char *text, size_t size) {
  uv_strerror_r(-error, text, size);
  if (strncmp(text, "Unknown", 7) == 0) {
    char buffer[128];
    const char *message = strerror_r(error, buffer, sizeof buffer);
    snprintf(text, size, "%s", message);
  }
}

napi_value create_errno(napi_env env, int error, const char *syscall, const char *detail) {
  char name[64], text[160], message[512];
  error_name(error, name, sizeof name);
  error_text(error, text, sizeof text);
  if (detail != NULL && detail[0] != '\0') {
    snprintf(message, sizeof message, "%s: %s, %s (%s)", name, text, syscall, detail);
  } else {
    snprintf(message, sizeof message, "%s: %s, %s", name, text, syscall);
  }

  napi_value code, message_value, number, syscall_value, result;
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &message_value) != napi_ok ||
      napi_create_error(env, code, message_value, &result) != napi_ok ||
      napi_create_int32(env, -error, &number) != napi_ok ||
      napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &syscall_value) != napi_ok ||
      napi_set_named_property(env, result, "errno", number) != napi_ok ||
      napi_set_named_property(env, result, "syscall", syscall_value) != napi_ok) {
    return NULL;
  }
  return result;
}

napi_value throw_errno(napi_env env, int error, const char *syscall, const char *format, ...) {
  char detail[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(detail, sizeof detail, format, arguments);
  va_end(arguments);
  napi_value value = create_errno(env, error, syscall, detail);
  if (value != NULL) napi_throw(env, value);
  return NULL;
}

napi_value throw_type(napi_env env, const char *format, ...) {
  char message[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return NULL;
}

napi_value throw_range(napi_env env, const char *format, ...) {
  char message[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return NULL;
}
