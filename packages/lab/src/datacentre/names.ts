/** Names and addresses of everything in a lab; pure. `ID` makes several labs on one machine possible. */

/** Where labs write who they are. */
export const STATE_ROOT = '/run/fairlead-lab';
export const MAX_NODES = 80;

export const API_PORT = 6443;
export const LAN_PREFIX_LENGTH = 24;
export const ROUTER_LAN_ADDRESS = '10.77.0.1';
export const CLIENT_ADDRESS = '10.77.0.100';
export const MANAGEMENT_ADDRESS = '10.78.0.1';
export const ROUTER_OUTSIDE_ADDRESS = '10.79.0.1';
export const OUTSIDE_ADDRESS = '10.79.0.100';
/** All pods; node `i` has 10.244.i.0/24. */
export const CLUSTER_CIDR = '10.244.0.0/16';
/** ClusterIPs. */
export const SERVICE_CIDR = '10.96.0.0/16';

/** The namespaces that a lab has besides those of its nodes. */
export type Place = 'lan' | 'mgmt' | 'client' | 'router' | 'outside';

export interface NodeNames {
  /** The Node's name in the API: `n1`. */
  name: string;
  netns: string;
  /** Where that node's speaker may make its director. */
  director: string;
  /** `eth0`: its InternalIP, on the LAN. */
  lanAddress: string;
  /** `mgmt0`: from where it talks to the API server. */
  managementAddress: string;
  podCidr: string;
  lanHardwareAddress: string;
  /** Of its second network card on the LAN, where it has one. */
  spareHardwareAddress: string;
  managementHardwareAddress: string;
}

/** Every network namespace of a lab begins so. */
export function netnsPrefix(id: string): string {
  return `fl-${id}-`;
}

export function netnsOf(id: string, place: Place): string {
  return netnsPrefix(id) + place;
}

/** @param index 1.. */
export function nodeNames(id: string, index: number): NodeNames {
  const name = `n${index}`;
  const netns = netnsPrefix(id) + name;
  return {
    name,
    netns,
    director: `${netns}-dir`,
    lanAddress: `10.77.0.${10 + index}`,
    managementAddress: `10.78.0.${10 + index}`,
    podCidr: `10.244.${index}.0/24`,
    lanHardwareAddress: hardwareAddress(1, index),
    spareHardwareAddress: hardwareAddress(4, index),
    managementHardwareAddress: hardwareAddress(2, index),
  };
}

/**
 * A locally administered MAC address. Fixed, because a machine that is switched off and on again keeps its own: its
 * neighbours' ARP entries stay right.
 */
export function hardwareAddress(network: number, host: number): string {
  return `02:fa:1e:00:${hex(network)}:${hex(host)}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
