/** Fairlead controller: allocates addresses to Services of type LoadBalancer. */
export {};
