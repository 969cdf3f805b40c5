/** A small Kubernetes client for daemons: keep-alive, typed errors, informers. */
export {};
