/**
 * What a Service asks for, from its spec and annotations, and whether it asks for two things that exclude each other.
 * Only what the Service says of itself is looked at; whether a pool can give it is the controller's to find out.
 */

import { type Family, formatAddress, type IpAddress, parseAddress } from '../addresses/address.js';
import { annotations, reasons } from '../names.js';

/** The part of a core/v1 Service that is read here (a V1Service fits). */
export interface RequestingService {
  metadata?: { annotations?: Record<string, string> };
  spec?: {
    loadBalancerClass?: string;
    loadBalancerIP?: string;
    ipFamilies?: string[];
    ipFamilyPolicy?: string;
    clusterIPs?: string[];
    externalTrafficPolicy?: string;
    selector?: Record<string, string>;
    ports?: { port: number; protocol?: string }[];
  };
}

export interface ServiceRequest {
  /** spec.loadBalancerClass; undefined: none. */
  class: string | undefined;
  /** The pool asked for by name; undefined: any that admits the Service. */
  pool: string | undefined;
  /** Exactly these, at most one per family, in the order of `families`; empty: any. */
  addresses: IpAddress[];
  /** One or both; the first is the primary one. */
  families: Family[];
  /** all: an address of every family, or none. any: of as many as can be had, at least one. */
  need: 'all' | 'any';
  /** Undefined: the address is to be its own. */
  sharing: SharingRequest | undefined;
}

export interface SharingRequest {
  key: string;
  /** `tcp/80`; sharers must have none in common. */
  ports: string[];
  /**
   * Traffic to one address can be steered in one way only: sharers must agree in externalTrafficPolicy and, where that is
   * Local, in the selector. '' for Cluster.
   */
  backend: string;
}

export type RequestResult = { ok: true; request: ServiceRequest } | { ok: false; reason: string; message: string };

/** Never throws. A failure's message names both things that disagree, or what cannot be read. */
export function parseRequest(service: RequestingService): RequestResult {
  const families = familiesOf(service);
  if (service.spec?.ipFamilyPolicy === 'RequireDualStack' && families.length < 2) {
    return contradiction(
      `spec.ipFamilyPolicy is RequireDualStack, but the Service has one IP family only (${familyNames(families)}); ` +
        'use a dual-stack cluster, or SingleStack',
    );
  }
  const asked = addressesOf(service, families);
  if (!asked.ok) return asked;
  const need = service.spec?.ipFamilyPolicy === 'PreferDualStack' && asked.addresses.length < 2 ? 'any' : 'all';
  return {
    ok: true,
    request: {
      class: service.spec?.loadBalancerClass,
      pool: annotation(service, annotations.addressPool),
      addresses: asked.addresses,
      families,
      need,
      sharing: sharingOf(service),
    },
  };
}

/** An empty annotation is what templates leave for "none". */
function annotation(service: RequestingService, name: string): string | undefined {
  return service.metadata?.annotations?.[name]?.trim() || undefined;
}

/** Of spec.ipFamilies, which the API server fills in; else of the cluster addresses; else IPv4. */
function familiesOf({ spec }: RequestingService): Family[] {
  const families: Family[] = [];
  const add = (family: Family) => void (families.includes(family) || families.push(family));
  for (const name of spec?.ipFamilies ?? []) add(name === 'IPv6' ? 'ipv6' : 'ipv4');
  if (families.length === 0) {
    for (const text of spec?.clusterIPs ?? []) if (text !== 'None') add(text.includes(':') ? 'ipv6' : 'ipv4');
  }
  if (families.length === 0) return ['ipv4'];
  return spec?.ipFamilyPolicy === 'SingleStack' ? families.slice(0, 1) : families;
}

type AddressesResult = { ok: true; addresses: IpAddress[] } | (RequestResult & { ok: false });

function addressesOf(service: RequestingService, families: Family[]): AddressesResult {
  const text = annotation(service, annotations.addresses);
  const single = service.spec?.loadBalancerIP || undefined;
  if (text === undefined && single === undefined) return { ok: true, addresses: [] };
  const found: { address: IpAddress; where: string }[] = [];
  const parts = (text?.split(',') ?? []).map((part) => [part.trim(), `annotation ${annotations.addresses}`] as const);
  for (const [part, where] of [...parts, ...(single ? [[single, 'spec.loadBalancerIP'] as const] : [])]) {
    let address: IpAddress;
    try {
      address = parseAddress(part);
    } catch (error) {
      return invalid(`${where}: ${(error as Error).message}`);
    }
    const other = found.find((each) => each.address.family === address.family);
    if (other?.address.value === address.value) continue;
    if (other) {
      return contradiction(
        `${other.where} asks for ${formatAddress(other.address)} and ${where} for ${formatAddress(address)}; ` +
          'a Service gets one address per IP family, so remove one of them',
      );
    }
    if (!families.includes(address.family)) {
      return contradiction(
        `${where} asks for ${formatAddress(address)}, but spec.ipFamilies is ${familyNames(families)} only; ` +
          'ask for an address of that family, or make the Service dual-stack',
      );
    }
    found.push({ address, where });
  }
  const order = (address: IpAddress) => families.indexOf(address.family);
  return { ok: true, addresses: found.map(({ address }) => address).sort((a, b) => order(a) - order(b)) };
}

/** With whom the Service wants to share, whatever else it asks for; undefined: with nobody. */
export function sharingOf(service: RequestingService): SharingRequest | undefined {
  const key = annotation(service, annotations.sharingKey);
  if (key === undefined) return undefined;
  const { spec } = service;
  const ports = (spec?.ports ?? []).map(({ port, protocol = 'TCP' }) => `${protocol.toLowerCase()}/${port}`);
  const selector = Object.entries(spec?.selector ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const backend = spec?.externalTrafficPolicy === 'Local' ? `Local ${JSON.stringify(selector)}` : '';
  return { key, ports, backend };
}

function familyNames(families: readonly Family[]): string {
  return families.map((family) => (family === 'ipv4' ? 'IPv4' : 'IPv6')).join(', ');
}

function invalid(message: string): RequestResult & { ok: false } {
  return { ok: false, reason: reasons.invalidRequest, message };
}

function contradiction(message: string): RequestResult & { ok: false } {
  return { ok: false, reason: reasons.contradictoryRequest, message };
}
