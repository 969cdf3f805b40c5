/**
 * Frames that a switch loses on their way from or to one of its ports, in one direction or both, all of them or a share: by nftables in the
 * bridge's namespace, since not every kernel has netem.
 */
import { execFileSync } from 'node:child_process';
import { inNetns } from '@fairlead/raw-socket';
import { LabError } from './lab-error.js';

/** Shares of frames, 0 to 1. */
export interface FrameLoss {
  /** Of those that the host sends. */
  sent?: number;
  /** Of those that it should receive. */
  received?: number;
}

/** The finest share that can be told. */
const OF = 1_000;

/** What is loaded for these ports: the whole table, in place of the one before. */
export function frameLossRules(losses: ReadonlyMap<string, FrameLoss>): string {
  const rules = [...losses].flatMap(([port, { sent = 0, received = 0 }]) => [
    ...dropRule('iifname', port, sent),
    ...dropRule('oifname', port, received),
  ]);
  const chain = `chain forward {\n    type filter hook forward priority 0;\n${rules.map((rule) => `    ${rule}\n`).join('')}  }`;
  return `table bridge frame_loss\ndelete table bridge frame_loss\n${rules.length === 0 ? '' : `table bridge frame_loss {\n  ${chain}\n}\n`}`;
}

/** Loads them into the namespace of a bridge. @throws LabError FL_LAB_REQUIREMENTS */
export function loadFrameLoss(netns: string, losses: ReadonlyMap<string, FrameLoss>): void {
  try {
    inNetns(netns, () =>
      execFileSync('nft', ['--file', '-'], { input: frameLossRules(losses), stdio: ['pipe', 'ignore', 'pipe'] }),
    );
  } catch (error) {
    throw new LabError('FL_LAB_REQUIREMENTS', `frames cannot be lost on a bridge: ${(error as Error).message}`);
  }
}

function dropRule(direction: 'iifname' | 'oifname', port: string, share: number): string[] {
  if (!(share >= 0 && share <= 1)) throw new LabError('FL_LAB_ARGUMENT', `a share of frames is 0 to 1, not ${share}`);
  if (share === 0) return [];
  return [`${direction} "${port}" ${share === 1 ? '' : `numgen random mod ${OF} < ${Math.round(share * OF)} `}drop`];
}
