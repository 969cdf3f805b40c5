/** The fairlead command's parts that are useful to tests: Fairlead as processes in the embedded data centre. */

export * from './lab/deployment.js';
export * from './lab/steady.js';
export * from './lab/until.js';
