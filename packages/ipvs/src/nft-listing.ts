/**
 * The objects in what `nft -j list` prints, `{"nftables": [{…}, {…}, …]}`, one at a time: that of ten thousand virtual servers is 30 MB of text,
 * which as a whole would be 200 MB of objects. Pure.
 */

/** One entry of the JSON that nft prints (libnftables-json(5)): an object with one key, the kind. */
export type NftObject = { [kind: string]: unknown };

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [...Buffer.from('"\\{}')] as [number, number, number, number];
/** The object of the whole listing; each of its array's is one level deeper. */
const OUTSIDE = 1;

/** Throws SyntaxError for an object that is not JSON. */
export function* objectsIn(listing: Uint8Array): Generator<NftObject> {
  const text = Buffer.from(listing.buffer, listing.byteOffset, listing.byteLength);
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN:
        if (depth++ === OUTSIDE) start = at;
        break;
      case CLOSE:
        if (--depth === OUTSIDE) yield JSON.parse(text.toString('utf8', start, at + 1));
        break;
    }
  }
  if (depth !== 0) throw new SyntaxError('what nft has printed ends within an object');
}

/** Of its closing quote. */
function endOfString(text: Buffer, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === BACKSLASH) at++;
    else if (text[at] === QUOTE) return at;
  }
  return text.length;
}
