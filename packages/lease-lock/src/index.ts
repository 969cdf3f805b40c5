/** Leader election on coordination.k8s.io/v1 Leases, safe against clock skew. */
export {};
