/** The connection synchronisation threads (IPVS_DAEMON_ATTR_*). */
import type { Attributes, Encoder } from '../attribute.js';
import { checkInteger } from '../check.js';
import { MalformedMessageError } from '../errors.js';
import { decodeAddress, encodeAddress, familyOf } from '../ip.js';
import { daemonAttributes as a, commandAttributes } from './constants.js';
import type { IpvsDaemon } from './types.js';

const states: Record<IpvsDaemon['state'], number> = { master: 1, backup: 2 };

export function putDaemon(encoder: Encoder, daemon: IpvsDaemon): void {
  // The kernel takes larger numbers, but one byte is all there is for them on the wire.
  checkInteger(daemon.syncId, 0, 255, () => `sync id of the ${daemon.state} daemon on ${daemon.interface}`);
  encoder.nest(commandAttributes.daemon, () => {
    encoder.u32(a.state, states[daemon.state]);
    encoder.string(a.interface, daemon.interface);
    encoder.u32(a.syncId, daemon.syncId);
    if (daemon.maxLength !== undefined) encoder.u16(a.maxLength, daemon.maxLength);
    if (daemon.group !== undefined) {
      encoder.binary(familyOf(daemon.group) === 'ipv4' ? a.group : a.group6, encodeAddress(daemon.group));
    }
    // In host order, unlike the ports of services.
    if (daemon.port !== undefined) encoder.u16(a.port, daemon.port);
    if (daemon.ttl !== undefined) encoder.u8(a.ttl, daemon.ttl);
  });
}

export function putDaemonState(encoder: Encoder, state: IpvsDaemon['state']): void {
  encoder.nest(commandAttributes.daemon, () => encoder.u32(a.state, states[state]));
}

export function decodeDaemon(message: Attributes): IpvsDaemon {
  const attributes = message.nest(commandAttributes.daemon);
  const state = attributes?.u32(a.state);
  if (!attributes || (state !== states.master && state !== states.backup)) {
    throw new MalformedMessageError(`an IPVS daemon in state ${state}`);
  }
  const maxLength = attributes.u16(a.maxLength);
  const group = attributes.binary(a.group);
  const group6 = attributes.binary(a.group6);
  const port = attributes.u16(a.port);
  const ttl = attributes.u8(a.ttl);
  return {
    state: state === states.master ? 'master' : 'backup',
    interface: attributes.string(a.interface) ?? '',
    syncId: attributes.u32(a.syncId) ?? 0,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(group ? { group: decodeAddress(group, 'ipv4') } : {}),
    ...(group6 ? { group: decodeAddress(group6, 'ipv6') } : {}),
    ...(port === undefined ? {} : { port }),
    ...(ttl === undefined ? {} : { ttl }),
  };
}
