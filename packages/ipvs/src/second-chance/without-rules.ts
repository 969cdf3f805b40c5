import { hasCode } from '@fairlead/netlink';

/** Does what has to do with the rules (rules.ts); undefined where they are not there (yet), and there is nothing to do. */
export function orWithoutRules<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
