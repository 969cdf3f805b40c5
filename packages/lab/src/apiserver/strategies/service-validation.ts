/** What makes a Service invalid, whatever is allocated (kubernetes/pkg/apis/core/validation, ValidateService*). */
import { isIP } from 'node:net';
import { type FieldError, field } from '../errors.js';
import { nameProblem } from '../metadata.js';
import { isObject, type JsonObject, type KubeObject } from '../types.js';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const AFFINITIES = ['ClientIP', 'None'];
const POLICIES = ['Cluster', 'Local'];
const IP_MODES = ['Proxy', 'VIP'];
const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const PORT_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
/** sessionAffinityConfig.clientIP.timeoutSeconds: at most a day. */
const MAX_AFFINITY_SECONDS = 86400;

const isPort = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535;
const PORT_RANGE = 'must be between 1 and 65535, inclusive';

export function validateService(service: KubeObject, previous: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const { spec } = service;
  if (!TYPES.includes(spec.type)) errors.push(field.notSupported('spec.type', spec.type, TYPES));
  validatePorts(spec, errors);
  if (!AFFINITIES.includes(spec.sessionAffinity)) {
    errors.push(field.notSupported('spec.sessionAffinity', spec.sessionAffinity, AFFINITIES));
  }
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === 'ClientIP' && !(seconds > 0 && seconds <= MAX_AFFINITY_SECONDS)) {
    errors.push(
      field.invalid(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        seconds,
        `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
      ),
    );
  }
  if (spec.selector !== undefined && !isObject(spec.selector)) {
    errors.push(field.typeInvalid('spec.selector', spec.selector, 'must be a map'));
  }
  validateTraffic(spec, errors);
  validateAddresses(spec, errors);
  validateFamilies(spec, errors);
  if (previous) validateChange(spec, previous.spec, errors);
  return errors;
}

function validatePorts(spec: JsonObject, errors: FieldError[]): void {
  const ports: JsonObject[] = spec.ports ?? [];
  const headless = spec.clusterIP === 'None';
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') errors.push(field.required('spec.ports'));
  if (headless && ['NodePort', 'LoadBalancer'].includes(spec.type)) {
    errors.push(field.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`));
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  ports.forEach((port, i) => {
    const path = `spec.ports[${i}]`;
    if (ports.length > 1 && !port.name) errors.push(field.required(`${path}.name`));
    if (port.name) {
      const problem = nameProblem(port.name, 'label');
      if (problem) errors.push(field.invalid(`${path}.name`, port.name, problem));
      if (names.has(port.name)) errors.push(field.duplicate(`${path}.name`, port.name));
      names.add(port.name);
    }
    if (!isPort(port.port)) errors.push(field.invalid(`${path}.port`, port.port ?? 0, PORT_RANGE));
    if (!PROTOCOLS.includes(port.protocol))
      errors.push(field.notSupported(`${path}.protocol`, port.protocol, PROTOCOLS));
    const target = port.targetPort;
    if (typeof target === 'number' && !isPort(target)) {
      errors.push(field.invalid(`${path}.targetPort`, target, PORT_RANGE));
    } else if (typeof target === 'string' && !PORT_NAME.test(target)) {
      errors.push(
        field.invalid(
          `${path}.targetPort`,
          target,
          'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), and must contain at least one letter (a-z)',
        ),
      );
    }
    if (port.nodePort && !['NodePort', 'LoadBalancer'].includes(spec.type)) {
      errors.push(field.forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    }
    const number = `${port.protocol}/${port.port}`;
    if (numbers.has(number)) errors.push(field.duplicate(path, { port: port.port, protocol: port.protocol }));
    numbers.add(number);
    if (port.nodePort) {
      const nodePort = `${port.protocol}/${port.nodePort}`;
      if (nodePorts.has(nodePort)) errors.push(field.duplicate(`${path}.nodePort`, port.nodePort));
      nodePorts.add(nodePort);
    }
  });
}

function validateTraffic(spec: JsonObject, errors: FieldError[]): void {
  const external = ['NodePort', 'LoadBalancer'].includes(spec.type) || spec.externalIPs?.length > 0;
  if (spec.externalTrafficPolicy !== undefined && spec.externalTrafficPolicy !== '') {
    if (!external) {
      errors.push(
        field.invalid(
          'spec.externalTrafficPolicy',
          spec.externalTrafficPolicy,
          'may only be set for externally-accessible services',
        ),
      );
    } else if (!POLICIES.includes(spec.externalTrafficPolicy)) {
      errors.push(field.notSupported('spec.externalTrafficPolicy', spec.externalTrafficPolicy, POLICIES));
    }
  }
  if (spec.internalTrafficPolicy !== undefined && !POLICIES.includes(spec.internalTrafficPolicy)) {
    errors.push(field.notSupported('spec.internalTrafficPolicy', spec.internalTrafficPolicy, POLICIES));
  }
  const local = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  if (spec.healthCheckNodePort && !local) {
    errors.push(
      field.invalid(
        'spec.healthCheckNodePort',
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  }
  if (spec.loadBalancerClass !== undefined && spec.type !== 'LoadBalancer') {
    errors.push(field.forbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer') {
    errors.push(
      field.forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"),
    );
  }
  (spec.loadBalancerSourceRanges ?? []).forEach((range: string, i: number) => {
    if (spec.type !== 'LoadBalancer') {
      errors.push(
        field.forbidden(`spec.LoadBalancerSourceRanges[${i}]`, "may only be used when `type` is 'LoadBalancer'"),
      );
    } else if (!isCidr(String(range).trim())) {
      errors.push(
        field.invalid(
          `spec.loadBalancerSourceRanges[${i}]`,
          range,
          'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        ),
      );
    }
  });
}

function validateAddresses(spec: JsonObject, errors: FieldError[]): void {
  const addresses: string[] = spec.clusterIPs ?? [];
  if (addresses.length > 0 && !spec.clusterIP) {
    errors.push(field.invalid('spec.clusterIPs', addresses, 'must be empty when `clusterIP` is not specified'));
  } else if (addresses.length > 0 && addresses[0] !== spec.clusterIP) {
    errors.push(field.invalid('spec.clusterIPs[0]', addresses[0], 'first value must match `clusterIP`'));
  }
  addresses.forEach((address, i) => {
    if (address === 'None') return;
    if (!isIP(address)) {
      errors.push(
        field.invalid(
          `spec.clusterIPs[${i}]`,
          address,
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      );
    }
  });
  if (spec.type === 'ExternalName') {
    if (!spec.externalName) errors.push(field.required('spec.externalName'));
    if (spec.clusterIPs?.length) {
      errors.push(field.invalid('spec.clusterIPs', spec.clusterIPs, 'may not be set for ExternalName services'));
    }
  }
  (spec.externalIPs ?? []).forEach((address: string, i: number) => {
    if (!isIP(address)) {
      errors.push(
        field.invalid(
          `spec.externalIPs[${i}]`,
          address,
          'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
      );
    }
  });
}

function validateFamilies(spec: JsonObject, errors: FieldError[]): void {
  if (spec.type === 'ExternalName') return;
  if (spec.ipFamilyPolicy !== undefined && !FAMILY_POLICIES.includes(spec.ipFamilyPolicy)) {
    errors.push(field.notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, FAMILY_POLICIES));
  }
  (spec.ipFamilies ?? []).forEach((family: string, i: number) => {
    if (!FAMILIES.includes(family)) errors.push(field.notSupported(`spec.ipFamilies[${i}]`, family, FAMILIES));
    else if (spec.ipFamilies.indexOf(family) !== i) errors.push(field.duplicate(`spec.ipFamilies[${i}]`, family));
  });
}

function validateChange(spec: JsonObject, previous: JsonObject, errors: FieldError[]): void {
  const had = previous.clusterIPs?.[0];
  const has = spec.clusterIPs?.[0];
  if (previous.type !== 'ExternalName' && spec.type !== 'ExternalName' && had && had !== has) {
    errors.push(field.invalid('spec.clusterIPs[0]', spec.clusterIPs ?? [], 'may not change once set'));
  }
  if (
    previous.type === 'LoadBalancer' &&
    spec.type === 'LoadBalancer' &&
    previous.loadBalancerClass !== spec.loadBalancerClass
  ) {
    errors.push(field.invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? null, 'may not change once set'));
  }
  const local = (s: JsonObject): boolean => s.type === 'LoadBalancer' && s.externalTrafficPolicy === 'Local';
  if (local(spec) && local(previous) && spec.healthCheckNodePort !== previous.healthCheckNodePort) {
    errors.push(field.forbidden('spec.healthCheckNodePort', 'field is immutable'));
  }
}

/** Checks status.loadBalancer (ValidateLoadBalancerStatus). */
export function validateServiceStatus(service: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const ingresses: JsonObject[] = service.status?.loadBalancer?.ingress ?? [];
  if (ingresses.length > 0 && service.spec.type !== 'LoadBalancer') {
    errors.push(field.forbidden('status.loadBalancer.ingress', 'may only be used when `spec.type` is "LoadBalancer"'));
    return errors;
  }
  ingresses.forEach((ingress, i) => {
    const path = `status.loadBalancer.ingress[${i}]`;
    if (ingress.ip && !isIP(ingress.ip)) {
      errors.push(
        field.invalid(`${path}.ip`, ingress.ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
      );
    }
    if (ingress.ipMode !== undefined && !ingress.ip) {
      errors.push(field.forbidden(`${path}.ipMode`, 'may not be specified when `ip` is not set'));
    } else if (ingress.ip && !IP_MODES.includes(ingress.ipMode)) {
      errors.push(field.notSupported(`${path}.ipMode`, ingress.ipMode, IP_MODES));
    }
    if (ingress.hostname) {
      const problem = nameProblem(ingress.hostname, 'subdomain');
      if (problem) errors.push(field.invalid(`${path}.hostname`, ingress.hostname, problem));
      if (isIP(ingress.hostname))
        errors.push(field.invalid(`${path}.hostname`, ingress.hostname, 'must be a DNS name, not an IP address'));
    }
  });
  return errors;
}

function isCidr(text: string): boolean {
  const [address, length, more] = text.split('/');
  const family = isIP(address ?? '');
  return (
    more === undefined && family !== 0 && /^\d{1,3}$/.test(length ?? '') && Number(length) <= (family === 4 ? 32 : 128)
  );
}
