/** A failover as a picture: what the client saw in each slice of time around the crash. Pure. */

export interface TimelineInput {
  /** When the owner was crashed, ms. */
  crashMs: number;
  attempts: readonly { startMs: number; ok: boolean }[];
  marks: readonly { atMs: number; label: string }[];
  /** Columns of the picture. */
  width?: number;
  /** How much of the time before the crash is shown, ms. */
  leadMs?: number;
  /** How much of the time after the last mark or failure is shown, ms. */
  tailMs?: number;
}

/** How far a label may reach beyond the picture, columns. */
const OVERHANG = 20;

/**
 * One column a slice: `█` every connect of it succeeded, `▒` some, `·` none, blank when there was no attempt.
 * Below, one line a mark, its arrow under the moment.
 */
export function drawTimeline(input: TimelineInput): string {
  const { crashMs, attempts, marks, width = 72, leadMs = 500, tailMs = 500 } = input;
  const failures = attempts.filter((attempt) => !attempt.ok).map((attempt) => attempt.startMs);
  const from = crashMs - leadMs;
  const to = Math.max(crashMs, ...failures, ...marks.map((mark) => mark.atMs)) + tailMs;
  const slice = (to - from) / width;
  const column = (atMs: number) => Math.min(width - 1, Math.max(0, Math.floor((atMs - from) / slice)));
  const good = new Array<number>(width).fill(0);
  const bad = new Array<number>(width).fill(0);
  for (const attempt of attempts) {
    if (attempt.startMs < from || attempt.startMs > to) continue;
    (attempt.ok ? good : bad)[column(attempt.startMs)]! += 1;
  }
  const bar = good.map((count, n) => (count > 0 ? (bad[n]! > 0 ? '▒' : '█') : bad[n]! > 0 ? '·' : ' ')).join('');
  const arrows = [{ atMs: crashMs, label: 'crash' }, ...marks].map(({ atMs, label }) => {
    const text = `▲ ${label}, ${atMs >= crashMs ? '+' : ''}${Math.round(atMs - crashMs)} ms`;
    const at = column(atMs);
    if (at + text.length <= width + OVERHANG) return ' '.repeat(at) + text;
    const mirrored = `${text.slice(2)} ▲`;
    return ' '.repeat(Math.max(0, at + 1 - mirrored.length)) + mirrored;
  });
  return [bar, ...arrows].join('\n');
}
