/** What Wireshark's decoder has to say against packets. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** undefined: it can be asked. */
export function whyNoTshark(): string | undefined {
  return spawnSync('tshark', ['--version']).error ? 'tshark is not installed: apt-get install tshark' : undefined;
}

export interface Verdict {
  /** What the frame is, as tshark names the protocols in it: `eth:ethertype:arp`. */
  protocols: string;
  /** What is wrong with it, or strange: everything that tshark notes of at least this weight. */
  complaints: string[];
}

/**
 * One verdict a frame, with all checksums looked at.
 * @param preferences of tshark, such as `vrrp.v3_checksum_as_in_v2:TRUE`
 */
export function verdicts(frames: readonly Buffer[], preferences: readonly string[] = []): Verdict[] {
  const folder = mkdtempSync(join(tmpdir(), 'fl-tshark-'));
  try {
    const file = join(folder, 'frames.pcap');
    writeFileSync(file, pcap(frames));
    const chosen = ['ip.check_checksum:TRUE', ...preferences].flatMap((preference) => ['-o', preference]);
    const fields = ['frame.protocols', '_ws.expert.message', '_ws.malformed'].flatMap((field) => ['-e', field]);
    // Nobody's settings but these.
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder };
    const argv = ['-r', file, '-n', ...chosen, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=|', ...fields];
    const output = execFileSync('tshark', argv, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
    return output
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [protocols = '', ...complaints] = line.split('\t');
        return { protocols, complaints: complaints.flatMap((all) => all.split('|')).filter((one) => one !== '') };
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The classic file format, of Ethernet frames: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html */
function pcap(frames: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16); // the longest frame
  header.writeUInt32LE(1, 20); // LINKTYPE_ETHERNET
  const records = frames.flatMap((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index, 0); // a second apart
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([header, ...records]);
}
