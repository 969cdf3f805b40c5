/** Fairlead API types: AddressPool, annotations, IP addresses and ranges; pure. */
export {};
