/** AF_PACKET, AF_NETLINK and raw IP sockets on the Node.js event loop, in any network namespace. */
export {};
