{
  "targets": [
    {
      "target_name": "raw_socket",
      "sources": [
        "absorb.c", "constants.c", "errors.c", "exchange.c", "listen.c", "message.c", "module.c", "netns.c", "repeat.c",
        "socket.c", "values.c"
      ],
      "cflags": ["-std=gnu11", "-O2", "-Wall", "-Wextra"]
    }
  ]
}
