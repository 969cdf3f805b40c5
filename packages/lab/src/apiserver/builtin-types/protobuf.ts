/**
 * Reads `application/vnd.kubernetes.protobuf`, which kubectl's `create` commands and Go clients write. Answers are always JSON,
 * which all of them accept.
 *
 *   "k8s\0" Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: the object's bytes }
 *
 * Field numbers are those of the generated.proto files of k8s.io/api; field types come from the table of built-in types.
 * Only what the `create` commands of kubectl send is here; anything else is refused, never dropped.
 */
import { ApiError, badRequest } from '../errors.js';
import { type JsonObject, timestamp } from '../types.js';
import { fieldsOf, type Scalar, type TypeRef } from './model.js';

/** Number and name of each field; `?` where zero is a value of its own, and not an absent one (pointers in Go). */
const NUMBERS: Record<string, string> = {
  ObjectMeta:
    '1 name 2 generateName 3 namespace 4 selfLink 5 uid 6 resourceVersion 7 generation 8 creationTimestamp 9 deletionTimestamp 10 deletionGracePeriodSeconds? 11 labels 12 annotations 13 ownerReferences 14 finalizers',
  OwnerReference: '1 kind 3 name 4 uid 5 apiVersion 6 controller? 7 blockOwnerDeletion?',
  DeleteOptions: '1 gracePeriodSeconds? 2 preconditions 3 orphanDependents? 4 propagationPolicy 5 dryRun',
  Preconditions: '1 uid 2 resourceVersion',
  LabelSelector: '1 matchLabels 2 matchExpressions',
  LabelSelectorRequirement: '1 key 2 operator 3 values',
  Namespace: '1 metadata 2 spec 3 status',
  NamespaceSpec: '1 finalizers',
  NamespaceStatus: '1 phase',
  ConfigMap: '1 metadata 2 data 3 binaryData 4 immutable?',
  Secret: '1 metadata 2 data 3 type 4 stringData 5 immutable?',
  ServiceAccount: '1 metadata 2 secrets 3 imagePullSecrets 4 automountServiceAccountToken?',
  LocalObjectReference: '1 name',
  Service: '1 metadata 2 spec 3 status',
  ServiceSpec:
    '1 ports 2 selector 3 clusterIP 4 type 5 externalIPs 7 sessionAffinity 8 loadBalancerIP 9 loadBalancerSourceRanges 10 externalName 11 externalTrafficPolicy 12 healthCheckNodePort 13 publishNotReadyAddresses 17 ipFamilyPolicy 18 clusterIPs 19 ipFamilies 20 allocateLoadBalancerNodePorts? 21 loadBalancerClass 22 internalTrafficPolicy 23 trafficDistribution',
  ServicePort: '1 name 2 protocol 3 port 4 targetPort 5 nodePort 6 appProtocol',
  ServiceStatus: '1 loadBalancer',
  LoadBalancerStatus: '1 ingress',
  LoadBalancerIngress: '1 ip 2 hostname 3 ipMode',
  Deployment: '1 metadata 2 spec 3 status',
  DeploymentSpec:
    '1 replicas? 2 selector 3 template 4 strategy 5 minReadySeconds 6 revisionHistoryLimit? 7 paused 9 progressDeadlineSeconds?',
  DeploymentStrategy: '1 type',
  DeploymentStatus:
    '1 observedGeneration 2 replicas 3 updatedReplicas 4 availableReplicas 5 unavailableReplicas 7 readyReplicas',
  PodTemplateSpec: '1 metadata 2 spec',
  PodSpec:
    '2 containers 3 restartPolicy 4 terminationGracePeriodSeconds? 6 dnsPolicy 7 nodeSelector 8 serviceAccountName 9 serviceAccount 10 nodeName 11 hostNetwork 12 hostPID 13 hostIPC 16 hostname 17 subdomain 19 schedulerName 20 initContainers',
  Container:
    '1 name 2 image 3 command 4 args 5 workingDir 6 ports 7 env 8 resources 13 terminationMessagePath 14 imagePullPolicy 16 stdin 17 stdinOnce 18 tty 20 terminationMessagePolicy',
  ContainerPort: '1 name 2 hostPort 3 containerPort 4 protocol 5 hostIP',
  EnvVar: '1 name 2 value',
  ResourceRequirements: '1 limits 2 requests',
  Role: '1 metadata 2 rules',
  ClusterRole: '1 metadata 2 rules',
  PolicyRule: '1 verbs 2 apiGroups 3 resources 4 resourceNames 5 nonResourceURLs',
  RoleBinding: '1 metadata 2 subjects 3 roleRef',
  ClusterRoleBinding: '1 metadata 2 subjects 3 roleRef',
  RbacV1Subject: '1 kind 2 apiGroup 3 name 4 namespace',
  RoleRef: '1 apiGroup 2 kind 3 name',
};

/** Bytes on the wire, base64 in JSON. */
const BYTES = new Set(['Secret.data', 'ConfigMap.binaryData']);

const MAGIC = Buffer.from('k8s\0');

/** Varint, 64-bit, length-delimited, 32-bit (protobuf's wire types; groups are not used). */
type WireValue = { number: number; bytes: Buffer } | { number: number; varint: bigint };

/** @throws ApiError 400 when it is no such message, 415 when it is of a kind that has no table. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC))
    throw badRequest('the body of the request is no Kubernetes protobuf');
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  for (const field of wireFields(body.subarray(MAGIC.length))) {
    if (!('bytes' in field)) continue;
    if (field.number === 2) raw = field.bytes;
    if (field.number !== 1) continue;
    for (const part of wireFields(field.bytes)) {
      if (!('bytes' in part)) continue;
      if (part.number === 1) apiVersion = part.bytes.toString();
      if (part.number === 2) kind = part.bytes.toString();
    }
  }
  if (NUMBERS[kind] === undefined) {
    throw new ApiError(
      415,
      'UnsupportedMediaType',
      `the body of the request is protobuf of ${kind || 'unknown kind'}, which this server reads as application/json or application/yaml only`,
    );
  }
  return { apiVersion, kind, ...message(raw, kind) };
}

function* wireFields(bytes: Buffer): Generator<WireValue> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n)
        throw badRequest('the protobuf of the request ends in the middle of a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case 0:
        yield { number, varint: varint() };
        break;
      case 2: {
        const length = Number(varint());
        if (at + length > bytes.length) throw badRequest('the protobuf of the request ends in the middle of a field');
        yield { number, bytes: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      default:
        throw badRequest(`the protobuf of the request has a field of wire type ${tag & 7}`);
    }
  }
}

interface Numbered {
  name: string;
  type: TypeRef;
  keepsZero: boolean;
}

const tables = new Map<string, ReadonlyMap<number, Numbered>>();

function tableOf(typeName: string): ReadonlyMap<number, Numbered> {
  let table = tables.get(typeName);
  if (!table) {
    const fields = fieldsOf(typeName);
    const parsed = [...(NUMBERS[typeName] ?? '').matchAll(/(\d+) (\w+)(\??)/g)].map(
      ([, number, name, optional]): [number, Numbered] => [
        Number(number),
        { name: name!, type: fields.get(name!)!.type, keepsZero: optional === '?' },
      ],
    );
    table = new Map(parsed);
    tables.set(typeName, table);
  }
  return table;
}

function message(bytes: Buffer, typeName: string): JsonObject {
  const table = tableOf(typeName);
  const result: JsonObject = {};
  for (const wire of wireFields(bytes)) {
    const field = table.get(wire.number);
    if (!field) {
      // Go writes every field that is no pointer, also when it is empty.
      if ('bytes' in wire ? wire.bytes.length === 0 : wire.varint === 0n) continue;
      throw badRequest(
        `the protobuf of the request has field ${wire.number} of ${typeName}, which this server reads as JSON only: send application/json`,
      );
    }
    const { name, type, keepsZero } = field;
    if (type.kind === 'list') {
      result[name] = [...(result[name] ?? []), single(wire, type.of, false)];
    } else if (type.kind === 'map') {
      result[name] = { ...result[name], ...mapEntry(wire, type.of, BYTES.has(`${typeName}.${name}`)) };
    } else {
      const value = single(wire, type, false);
      // In JSON empty fields are left out.
      const empty = value === undefined || value === '' || value === 0 || value === false || isEmptyObject(value);
      if (!empty || (keepsZero && value !== undefined)) result[name] = value;
    }
  }
  return result;
}

const isEmptyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

function mapEntry(wire: WireValue, type: TypeRef, base64: boolean): JsonObject {
  let key = '';
  let value: unknown = '';
  for (const part of wireFields(bytesOf(wire))) {
    if (part.number === 1) key = bytesOf(part).toString();
    if (part.number === 2) value = single(part, type, base64);
  }
  return { [key]: value };
}

function bytesOf(wire: WireValue): Buffer {
  if ('bytes' in wire) return wire.bytes;
  throw badRequest(`field ${wire.number} in the protobuf of the request should not be a number`);
}

function numberOf(wire: WireValue): number {
  if ('varint' in wire) return Number(wire.varint);
  throw badRequest(`field ${wire.number} in the protobuf of the request should be a number`);
}

function single(wire: WireValue, type: TypeRef, base64: boolean): unknown {
  if (type.kind === 'struct') return message(bytesOf(wire), type.name);
  if (type.kind !== 'scalar') throw badRequest('the protobuf of the request has a list in a list');
  return scalar(wire, type.name, base64);
}

function scalar(wire: WireValue, type: Scalar, base64: boolean): unknown {
  switch (type) {
    case 'boolean':
      return numberOf(wire) !== 0;
    case 'int32':
    case 'int64':
      return numberOf(wire);
    case 'time':
      return time(bytesOf(wire));
    case 'intOrString':
      return intOrString(bytesOf(wire));
    case 'quantity':
      return [...wireFields(bytesOf(wire))].map((part) => bytesOf(part).toString())[0] ?? '0';
    default:
      return bytesOf(wire).toString(base64 ? 'base64' : 'utf8');
  }
}

/** Time { 1: seconds, 2: nanos }; the zero time is absent. */
function time(bytes: Buffer): string | undefined {
  const seconds = [...wireFields(bytes)].find(({ number }) => number === 1);
  return seconds && timestamp(numberOf(seconds) * 1000);
}

/** IntOrString { 1: type (0 number, 1 text), 2: number, 3: text } */
function intOrString(bytes: Buffer): string | number {
  const parts = new Map([...wireFields(bytes)].map((part) => [part.number, part]));
  const kind = parts.get(1);
  const chosen = parts.get(kind && numberOf(kind) === 1 ? 3 : 2);
  if (!chosen) return 0;
  return 'bytes' in chosen ? chosen.bytes.toString() : Number(chosen.varint);
}
