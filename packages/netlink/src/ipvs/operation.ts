/** Changes of services and destinations as requests. */
import type { Encoder } from '../attribute.js';
import type { GenericRequest } from '../generic/generic-netlink.js';
import { commands } from './constants.js';
import { putDestination, putDestinationKey } from './destination.js';
import { putService, putServiceKey } from './service.js';
import { endpointName, type IpvsOperation, serviceName } from './types.js';

export const operationCommands: Record<IpvsOperation['kind'], number> = {
  'add-service': commands.newService,
  'set-service': commands.setService,
  'delete-service': commands.deleteService,
  'add-destination': commands.newDestination,
  'set-destination': commands.setDestination,
  'delete-destination': commands.deleteDestination,
};

export function encodeOperation(operation: IpvsOperation): GenericRequest {
  return {
    command: operationCommands[operation.kind],
    attributes: (encoder) => putOperation(encoder, operation),
    operation: describeOperation(operation),
  };
}

/** Throws TypeError or RangeError for what cannot be put into a message. */
export function putOperation(encoder: Encoder, operation: IpvsOperation): void {
  const { kind, service } = operation;
  switch (kind) {
    case 'add-service':
    case 'set-service':
      putService(encoder, service);
      break;
    case 'delete-service':
      putServiceKey(encoder, service);
      break;
    case 'add-destination':
    case 'set-destination':
      putServiceKey(encoder, service);
      putDestination(encoder, operation.destination, service.family);
      break;
    case 'delete-destination':
      putServiceKey(encoder, service);
      putDestinationKey(encoder, operation.destination, service.family);
      break;
  }
}

/** `add destination 10.0.0.2:30080 of 10.0.0.100:80/tcp` */
export function describeOperation(operation: IpvsOperation): string {
  const { kind, service } = operation;
  const verb = kind.slice(0, kind.indexOf('-'));
  const name = serviceName(service);
  switch (kind) {
    case 'add-service':
    case 'set-service':
      return `${verb} service ${name} with scheduler ${service.scheduler}`;
    case 'delete-service':
      return `delete service ${name}`;
    default:
      return `${verb} destination ${endpointName(operation.destination)} of ${name}`;
  }
}
