/** Fairlead forwarder: desired virtual servers to the kernel, by IPVS or nftables. */
export {};
