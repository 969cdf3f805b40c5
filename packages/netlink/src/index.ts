/** Netlink for Node.js: rtnetlink, generic netlink, IPVS. */
export {};
