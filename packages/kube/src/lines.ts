/** Cuts a byte stream into lines (a watch is one JSON text per line), whatever the chunks look like. */
export class LineSplitter {
  /** Bytes of a line whose end has not come yet; joined once, so that a long line costs no quadratic copying. */
  #partial: Buffer[] = [];

  /** Complete, non-empty lines in `chunk` together with what was left before. UTF-8. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      // Joining bytes, not strings: a chunk may end inside of a character.
      const line =
        this.#partial.length === 0 ? piece.toString('utf8') : Buffer.concat([...this.#partial, piece]).toString('utf8');
      this.#partial = [];
      start = end + 1;
      if (line.trim() !== '') lines.push(line);
    }
    if (start < chunk.length) this.#partial.push(chunk.subarray(start));
    return lines;
  }

  /** Has a line begun that was not ended? */
  get pending(): boolean {
    return this.#partial.length > 0;
  }
}
