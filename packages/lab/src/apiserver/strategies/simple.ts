/** Resources with little behaviour of their own: a few defaults, the checks that people run into. */
import { isIP } from 'node:net';
import { type FieldError, field } from '../errors.js';
import { plainStrategy, type Strategy } from '../strategy.js';
import { isObject, type JsonObject, type KubeObject, timestamp, type WallClock } from '../types.js';
import { eventStrategy } from './events.js';

/** By collection name. */
export function simpleStrategies(now: WallClock): Record<string, Strategy> {
  return {
    '/namespaces': namespaces,
    '/nodes': nodes,
    '/pods': pods(now),
    '/configmaps': plainStrategy,
    '/secrets': secrets,
    '/serviceaccounts': { ...plainStrategy, unconditionalUpdate: false },
    '/events': eventStrategy,
    '/endpoints': { ...plainStrategy, createOnUpdate: true },
    'discovery.k8s.io/endpointslices': endpointSlices,
    'coordination.k8s.io/leases': leases,
    'apps/deployments': workloads('Deployment'),
    'apps/daemonsets': workloads('DaemonSet'),
    'rbac.authorization.k8s.io/roles': rbac,
    'rbac.authorization.k8s.io/clusterroles': rbac,
    'rbac.authorization.k8s.io/rolebindings': rbac,
    'rbac.authorization.k8s.io/clusterrolebindings': rbac,
  };
}

const rbac: Strategy = { ...plainStrategy, createOnUpdate: true, nameRule: 'path' };

const namespaces: Strategy = {
  ...plainStrategy,
  unconditionalUpdate: false,
  nameRule: 'label',
  prepare(next, previous) {
    if (!previous) {
      next.spec = { finalizers: ['kubernetes'] };
      next.status = { phase: 'Active' };
    } else if (next.spec === undefined) {
      next.spec = previous.spec;
    }
    // Every namespace carries its name as a label, so that selectors can name it.
    next.metadata.labels = { ...next.metadata.labels, 'kubernetes.io/metadata.name': next.metadata.name };
    if (next.metadata.deletionTimestamp) next.status = { ...next.status, phase: 'Terminating' };
  },
};

/** A node may be created with its status, by its kubelet; other resources start without one. */
const nodes: Strategy = {
  ...plainStrategy,
  prepare(next, previous) {
    next.spec ??= {};
    if (!previous) next.status ??= {};
  },
  validate(next, previous) {
    const errors: FieldError[] = [];
    const had: string[] = previous?.spec?.podCIDRs ?? [];
    const has: string[] = next.spec.podCIDRs ?? [];
    if (had.length > 0 && JSON.stringify(had) !== JSON.stringify(has)) {
      errors.push(field.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
    }
    (next.status?.addresses ?? []).forEach((address: JsonObject, i: number) => {
      if (!address.type) errors.push(field.required(`status.addresses[${i}].type`));
    });
    return errors;
  },
};

function pods(now: WallClock): Strategy {
  return {
    ...plainStrategy,
    generation: 'spec',
    prepare(next, previous) {
      next.spec ??= {};
      const { spec } = next;
      spec.restartPolicy ??= 'Always';
      spec.dnsPolicy ??= 'ClusterFirst';
      spec.schedulerName ??= 'default-scheduler';
      spec.serviceAccountName ??= 'default';
      spec.terminationGracePeriodSeconds ??= 30;
      spec.enableServiceLinks ??= true;
      spec.securityContext ??= {};
      for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) defaultContainer(container);
      if (!previous) next.status = { phase: 'Pending', qosClass: 'BestEffort' };
      else if (spec.nodeName && !previous.spec?.nodeName) next.status = scheduled(next, now());
    },
    validate(next, previous) {
      const errors = validateContainers(next.spec, 'spec');
      if (previous?.spec?.nodeName && previous.spec.nodeName !== next.spec.nodeName) {
        errors.push(field.forbidden('spec', 'pod updates may not change fields other than `spec.containers[*].image`'));
      }
      return errors;
    },
  };
}

function scheduled(pod: KubeObject, nowMs: number): JsonObject {
  const conditions = (pod.status?.conditions ?? []).filter(
    (condition: JsonObject) => condition.type !== 'PodScheduled',
  );
  const condition = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: timestamp(nowMs) };
  return { ...pod.status, conditions: [...conditions, condition] };
}

function defaultContainer(container: JsonObject): void {
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  const image = String(container.image ?? '');
  const tag = /:([^/@]+)$/.exec(image)?.[1];
  container.imagePullPolicy ??=
    (tag === undefined && !image.includes('@')) || tag === 'latest' ? 'Always' : 'IfNotPresent';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
}

function validateContainers(spec: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const containers: JsonObject[] = spec.containers ?? [];
  if (containers.length === 0) errors.push(field.required(`${path}.containers`));
  containers.forEach((container, i) => {
    if (!container.name) errors.push(field.required(`${path}.containers[${i}].name`));
    if (!container.image) errors.push(field.required(`${path}.containers[${i}].image`));
  });
  return errors;
}

const secrets: Strategy = {
  ...plainStrategy,
  prepare(next, previous) {
    next.type ??= previous?.type ?? 'Opaque';
    // stringData is write-only: it becomes data, base64.
    if (isObject(next.stringData)) {
      const data: Record<string, string> = { ...next.data };
      for (const [key, value] of Object.entries(next.stringData))
        data[key] = Buffer.from(String(value)).toString('base64');
      next.data = data;
    }
    delete next.stringData;
  },
  validate(next, previous) {
    if (previous && previous.type !== next.type) return [field.invalid('type', next.type, 'field is immutable')];
    return [];
  },
};

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];

const endpointSlices: Strategy = {
  ...plainStrategy,
  generation: 'spec',
  prepare(next) {
    next.endpoints ??= [];
    next.ports ??= [];
    for (const port of next.ports) {
      port.protocol ??= 'TCP';
      port.name ??= '';
    }
  },
  validate(next, previous) {
    const errors: FieldError[] = [];
    if (!next.addressType) errors.push(field.required('addressType'));
    else if (!ADDRESS_TYPES.includes(next.addressType)) {
      errors.push(field.notSupported('addressType', next.addressType, ADDRESS_TYPES));
    }
    if (previous && previous.addressType !== next.addressType) {
      errors.push(field.invalid('addressType', next.addressType, 'field is immutable'));
    }
    next.endpoints.forEach((endpoint: JsonObject, i: number) => {
      const addresses: string[] = endpoint.addresses ?? [];
      if (addresses.length === 0)
        errors.push(field.required(`endpoints[${i}].addresses`, 'must contain at least 1 address'));
      addresses.forEach((address, j) => {
        const family = isIP(address);
        const wanted = next.addressType === 'IPv4' ? 4 : next.addressType === 'IPv6' ? 6 : undefined;
        if (wanted !== undefined && family !== wanted) {
          errors.push(
            field.invalid(`endpoints[${i}].addresses[${j}]`, address, `must be a valid ${next.addressType} address`),
          );
        }
      });
    });
    return errors;
  },
};

const leases: Strategy = {
  ...plainStrategy,
  unconditionalUpdate: false,
  createOnUpdate: true,
  prepare(next) {
    next.spec ??= {};
  },
  validate(next) {
    const errors: FieldError[] = [];
    const { leaseDurationSeconds, leaseTransitions } = next.spec;
    if (leaseDurationSeconds !== undefined && !(leaseDurationSeconds > 0)) {
      errors.push(field.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'));
    }
    if (leaseTransitions !== undefined && !(leaseTransitions >= 0)) {
      errors.push(field.invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0'));
    }
    return errors;
  },
};

/** Deployments and DaemonSets are stored and defaulted; nothing runs them here. */
function workloads(kind: 'Deployment' | 'DaemonSet'): Strategy {
  return {
    ...plainStrategy,
    generation: 'spec',
    prepare(next, previous) {
      next.spec ??= {};
      const { spec } = next;
      if (kind === 'Deployment') {
        spec.replicas ??= 1;
        spec.progressDeadlineSeconds ??= 600;
        spec.strategy ??= {};
        spec.strategy.type ??= 'RollingUpdate';
        if (spec.strategy.type === 'RollingUpdate') {
          spec.strategy.rollingUpdate ??= {};
          spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
          spec.strategy.rollingUpdate.maxSurge ??= '25%';
        }
      } else {
        spec.updateStrategy ??= {};
        spec.updateStrategy.type ??= 'RollingUpdate';
        if (spec.updateStrategy.type === 'RollingUpdate') {
          spec.updateStrategy.rollingUpdate ??= {};
          spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
          spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
        }
      }
      spec.revisionHistoryLimit ??= 10;
      if (isObject(spec.template?.spec)) {
        const podSpec = spec.template.spec;
        podSpec.restartPolicy ??= 'Always';
        podSpec.dnsPolicy ??= 'ClusterFirst';
        podSpec.schedulerName ??= 'default-scheduler';
        podSpec.terminationGracePeriodSeconds ??= 30;
        podSpec.securityContext ??= {};
        for (const container of [...(podSpec.initContainers ?? []), ...(podSpec.containers ?? [])]) {
          if (isObject(container)) defaultContainer(container);
        }
      }
      if (!previous) {
        next.status =
          kind === 'Deployment'
            ? {}
            : { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };
      }
    },
    validate(next, previous) {
      const errors: FieldError[] = [];
      const { selector, template } = next.spec;
      if (!selector) errors.push(field.required('spec.selector'));
      else if (previous && JSON.stringify(previous.spec.selector) !== JSON.stringify(selector)) {
        errors.push(field.invalid('spec.selector', selector, 'field is immutable'));
      }
      for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) {
        if (template?.metadata?.labels?.[key] !== value) {
          errors.push(
            field.invalid(
              'spec.template.metadata.labels',
              template?.metadata?.labels ?? null,
              '`selector` does not match template `labels`',
            ),
          );
          break;
        }
      }
      errors.push(...validateContainers(template?.spec ?? {}, 'spec.template.spec'));
      return errors;
    },
  };
}
