/**
 * The process whose forwarder is measured: `sync-process.js NETNS VIRTUAL_SERVERS REAL_SERVERS`. A process of its own,
 * because a daemon that starts has no warm code either.
 */
import { createForwarder } from '@fairlead/ipvs';
import { virtualServersOf } from './table.js';

const [netns = '', virtualServers, realServers] = process.argv.slice(2);
const servers = virtualServersOf({ virtualServers: Number(virtualServers), realServers: Number(realServers) });
const desired = { vips: servers.map(({ address }) => address), virtualServers: servers };
const start = performance.now();
const forwarder = createForwarder({ kind: 'ipvs', director: netns });
const { operations } = forwarder.sync(desired);
const ms = performance.now() - start;
forwarder.close();
console.log(JSON.stringify({ ms, operations }));
