/** Cuts a byte stream into lines (a watch is one JSON text per line), whatever the chunks look like. */
export class LineSplitter {
  /** Bytes of a line whose end has not come yet; joined once, so that a long line costs no quadratic copying. */
  #partial: Buffer[] = [];

  /** Complete lines that are not blank, in `chunk` together with what was left before; they may be parts of the chunk's memory. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      // Bytes, not strings: a chunk may end inside of a character.
      const line = this.#partial.length === 0 ? piece : Buffer.concat([...this.#partial, piece]);
      this.#partial = [];
      start = end + 1;
      if (!isBlank(line)) lines.push(line);
    }
    if (start < chunk.length) this.#partial.push(chunk.subarray(start));
    return lines;
  }

  /** Has a line begun that was not ended? */
  get pending(): boolean {
    return this.#partial.length > 0;
  }
}

/** JSON knows four blanks: space, tab and the ends of lines. */
function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
