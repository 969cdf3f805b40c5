/** An embedded data centre on one Linux machine: API server, nodes, clients, faults. */
export {};
