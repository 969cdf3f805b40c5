/**
 * Who may connect to a Service: its `loadBalancerSourceRanges`, in the form a firewall can take. Pure.
 *
 * As in kube-proxy a CIDR may have bits beyond its prefix (10.0.0.1/8 is 10.0.0.0/8). Unlike there, what cannot be read lets nobody in,
 * and neither do ranges of the other family only: who wrote a list did not mean "everyone".
 */
import {
  type AddressRange,
  addressBits,
  cidrOf,
  compareAddresses,
  contains,
  formatAddress,
  parseAddress,
} from '@fairlead/api';

export interface SourceRanges {
  /** Canonical CIDRs, ascending and disjoint; undefined: everyone; []: nobody. */
  ipv4: readonly string[] | undefined;
  ipv6: readonly string[] | undefined;
  /** Entries that are not CIDRs. */
  invalid: string[];
}

interface Cidr extends AddressRange {
  prefixLength: number;
}

export function parseSourceRanges(texts: readonly string[]): SourceRanges {
  const cidrs: Cidr[] = [];
  const invalid: string[] = [];
  for (const text of texts) {
    const cidr = parseCidr(text.trim());
    if (cidr) cidrs.push(cidr);
    else invalid.push(text);
  }
  return { ipv4: canonical(cidrs, 'ipv4'), ipv6: canonical(cidrs, 'ipv6'), invalid };
}

/** Two CIDRs are disjoint or one is in the other, so leaving out the inner ones is enough for a set without overlaps. */
function canonical(cidrs: readonly Cidr[], family: 'ipv4' | 'ipv6'): string[] | undefined {
  const sorted = cidrs
    .filter(({ first }) => first.family === family)
    .sort((a, b) => compareAddresses(a.first, b.first) || a.prefixLength - b.prefixLength);
  const disjoint: Cidr[] = [];
  for (const cidr of sorted) {
    const previous = disjoint.at(-1);
    if (!previous || !contains(previous, cidr.first)) disjoint.push(cidr);
  }
  if (disjoint[0]?.prefixLength === 0) return undefined;
  return disjoint.map(({ first, prefixLength }) => `${formatAddress(first)}/${prefixLength}`);
}

function parseCidr(text: string): Cidr | undefined {
  const [address = '', digits = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  try {
    const parsed = parseAddress(address);
    const prefixLength = Number(digits);
    if (prefixLength > addressBits(parsed.family)) return undefined;
    return { ...cidrOf(parsed, prefixLength), prefixLength };
  } catch {
    return undefined; // an AddressError: the caller names the text
  }
}
