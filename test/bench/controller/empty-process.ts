/** A process that does nothing: what Node alone takes of the memory. */

setInterval(() => {}, 60_000);
process.on('disconnect', () => process.exit(0));

export {};
