/** Changes of services and destinations as requests. */
import type { GenericRequest } from '../generic/generic-netlink.js';
import { commands } from './constants.js';
import { putDestination, putDestinationKey } from './destination.js';
import { putService, putServiceKey } from './service.js';
import { endpointName, type IpvsOperation, serviceName } from './types.js';

/** Throws TypeError or RangeError for what cannot be put into a message. */
export function encodeOperation(operation: IpvsOperation): GenericRequest {
  const { kind, service } = operation;
  const name = serviceName(service);
  switch (kind) {
    case 'add-service':
    case 'set-service':
      return {
        command: kind === 'add-service' ? commands.newService : commands.setService,
        attributes: (encoder) => putService(encoder, service),
        operation: `${verbs[kind]} service ${name} with scheduler ${service.scheduler}`,
      };
    case 'delete-service':
      return {
        command: commands.deleteService,
        attributes: (encoder) => putServiceKey(encoder, service),
        operation: `delete service ${name}`,
      };
    case 'add-destination':
    case 'set-destination':
      return {
        command: kind === 'add-destination' ? commands.newDestination : commands.setDestination,
        attributes: (encoder) => {
          putServiceKey(encoder, service);
          putDestination(encoder, operation.destination, service.family);
        },
        operation: `${verbs[kind]} destination ${endpointName(operation.destination)} of ${name}`,
      };
    case 'delete-destination':
      return {
        command: commands.deleteDestination,
        attributes: (encoder) => {
          putServiceKey(encoder, service);
          putDestinationKey(encoder, operation.destination, service.family);
        },
        operation: `delete destination ${endpointName(operation.destination)} of ${name}`,
      };
  }
}

const verbs = { 'add-service': 'add', 'set-service': 'set', 'add-destination': 'add', 'set-destination': 'set' };
