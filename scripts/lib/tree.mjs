/** Where the working tree is. */
import { fileURLToPath } from 'node:url';

/** Absolute, without a slash at the end. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
