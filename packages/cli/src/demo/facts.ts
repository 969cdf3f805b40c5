/** What the demo found out, as `--json FILE` writes it. Times are milliseconds since the demo began, unless a name says otherwise. */

export interface Facts {
  forwarder: 'ipvs' | 'nftables';
  vip: string;
  /** Who owned the VIP over time. */
  owners: { node: string; sinceMs: number }[];
  requests: {
    total: number;
    /** Answers by Pod, and by the node that the Pod runs on. */
    perPod: Record<string, number>;
    perNode: Record<string, number>;
    /** Connections by real server (NodeIP:NodePort), as the kernel of the owner counted them; `own` marks the owner's own node. */
    perBackend: { address: string; port: number; node: string; own: boolean; connections: number }[];
  };
  crash: { node: string; atMs: number } | undefined;
  /** Client: attempts to connect during the failover, and how many failed. */
  attempts: number;
  failures: number;
  /** From the first connect that failed to the first after which none failed. */
  outageMs: number | undefined;
  /** Which step did not hold, if any. */
  error?: string;
}
