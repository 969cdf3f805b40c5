/** What the process with the wire thread is told, and what it says. */
import type { ToWire } from '@fairlead/speaker';

export type ToStation =
  /** For the wire thread. */
  | { do: 'tell'; message: ToWire }
  /** Keep the main thread busy from now on with the JSON of so many Services; answered by `busy`. */
  | { do: 'parse'; services: number }
  /** How late was a timer of the main thread, while it was busy or not? Answered by `lateness`. */
  | { do: 'report' };

export type FromStation =
  | { is: 'ready' }
  | { is: 'busy'; jsonBytes: number }
  /** Of a timer of 20 ms, since the last report. */
  | { is: 'lateness'; ms: number[]; rounds: number }
  /** The wire thread owns the virtual router. */
  | { is: 'owner'; virtualRouter: string }
  /** The wire thread could not do something. */
  | { is: 'error'; message: string };
