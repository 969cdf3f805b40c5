/** Content types: what a client sends, and in which of the forms of an answer it wants to read. */
import { parse as parseYaml } from 'yaml';
import { decodeProtobuf } from './builtin-types/protobuf.js';
import { ApiError, badRequest, unsupportedMediaType } from './errors.js';

/** How objects are shown: as they are, as a table for people, or with metadata alone. */
export type Form = 'plain' | 'table' | 'metadata';

/**
 * The first form in the Accept header that can be given.
 * @throws ApiError 406 when nothing but, say, protobuf is accepted.
 */
export function formOf(accept: string | undefined): Form {
  if (accept === undefined || accept === '') return 'plain';
  for (const range of accept.split(',')) {
    const [media, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (media !== 'application/json' && media !== '*/*' && media !== 'application/*') continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    const version = parameters.find((parameter) => parameter.startsWith('v='))?.slice(2);
    if (as === undefined) return 'plain';
    if (version !== undefined && version !== 'v1') continue;
    if (as === 'table') return 'table';
    if (as === 'partialobjectmetadata' || as === 'partialobjectmetadatalist') return 'metadata';
  }
  throw new ApiError(
    406,
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io, application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  );
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const BODY_TYPES = ['application/json', 'application/yaml', PROTOBUF];

/** Parses a body that holds one object. @throws ApiError 400, 415 */
export function parseBody(body: Buffer, contentType: string | undefined): unknown {
  const media = (contentType ?? 'application/json').split(';')[0]!.trim().toLowerCase();
  if (!BODY_TYPES.includes(media) && media !== '') throw unsupportedMediaType(BODY_TYPES);
  if (media === PROTOBUF) return decodeProtobuf(body);
  return media === 'application/yaml' ? parseYamlText(body) : parseJsonText(body);
}

export function parseJsonText(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw badRequest(`the body of the request is not JSON: ${(error as Error).message}`);
  }
}

export function parseYamlText(body: Buffer): unknown {
  try {
    return parseYaml(body.toString('utf8'));
  } catch (error) {
    throw badRequest(`the body of the request is not YAML: ${(error as Error).message}`);
  }
}
