/** What the processes of this benchmark say to each other. Times are ms since the epoch, with fractions. */

/** To the process of the API server. */
export type ServerRequest =
  /** Put so many Services that want an address into the store, without HTTP. */
  | { do: 'seed'; count: number }
  /** Answer when so many Services have an address. */
  | { do: 'awaitAddressed'; count: number }
  /** How often was what asked for, and how many Services have which address? */
  | { do: 'report' };

export interface ServerReport {
  /** By `verb resource`. */
  counts: Record<string, number>;
  /** Writes that changed something: the number of the last one. */
  revision: number;
  services: number;
  /** Of all Services together; as many as there are Services when each has one. */
  addresses: string[];
}

export interface Addressed {
  atMs: number;
}

/** To the client without logic. */
export type PatchRequest =
  | { do: 'patchAll'; count: number }
  /** One more Service is there. */
  | { do: 'patch'; n: number };
