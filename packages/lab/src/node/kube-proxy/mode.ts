/** How kube-proxy brings its Services into the kernel (`--proxy-mode`): what the rest of the stand-in sees of it. */
import type { ServicePort } from './service-ports.js';

export const PROXY_MODES = ['nftables', 'iptables', 'ipvs'] as const;
export type ProxyModeName = (typeof PROXY_MODES)[number];

export interface ProxyMode {
  /** Makes the kernel serve exactly these ports. Rejects when the kernel has not taken them; then it is called again. */
  load(ports: readonly ServicePort[]): Promise<void>;
}
