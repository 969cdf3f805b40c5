/** Headers of an answer as undici has them: names and values by turns. Hardly anybody reads them, so they are left as they are. */
export type RawHeaders = readonly Buffer[];

/** The first header of this name (in lower case). */
export function headerOf(headers: RawHeaders, name: string): string | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]!.toString('latin1').toLowerCase() === name) return headers[index + 1]!.toString('latin1');
  }
  return undefined;
}
