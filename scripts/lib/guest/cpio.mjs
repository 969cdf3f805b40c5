/**
 * Writes an initramfs: a cpio archive of the "newc" kind, which is all that the kernel reads
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Left uncompressed: unpacking costs an emulated
 * processor more than reading does.
 */

const FILE = 0o100000;
const FOLDER = 0o040000;
const LINK = 0o120000;

/**
 * @typedef {{ path: string, mode?: number, data: Buffer | string } | { path: string, folder: true } |
 *   { path: string, link: string }} Entry paths without a leading slash; folders come before what is in them
 */

/** @param {readonly Entry[]} entries @returns {Buffer} */
export function cpio(entries) {
  const records = entries.map((entry, index) => {
    if ('folder' in entry) return record(index + 1, entry.path, FOLDER | 0o755, Buffer.alloc(0));
    if ('link' in entry) return record(index + 1, entry.path, LINK | 0o777, Buffer.from(entry.link));
    return record(index + 1, entry.path, FILE | (entry.mode ?? 0o644), Buffer.from(entry.data));
  });
  return Buffer.concat([...records, record(0, 'TRAILER!!!', 0, Buffer.alloc(0))]);
}

/** @param {number} inode @param {string} path @param {number} mode @param {Buffer} data */
function record(inode, path, mode, data) {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & FOLDER) === FOLDER ? 2 : 1;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(data)]);
}

/** @param {Buffer} bytes @returns {Buffer} filled up with zeros to a multiple of 4 */
function padded(bytes) {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
