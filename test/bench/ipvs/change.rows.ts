/**
 * One endpoint changes among 10,000 Services: from the line of the watch, through the planner, to the kernel's
 * acknowledgement; beside programming all of them into an empty kernel.
 */
import { createForwarder, type EndpointSliceObject, endpointsInput, Planner } from '@fairlead/ipvs';
import { Ipvs, openTransport, Rtnetlink, type Transport } from '@fairlead/netlink';
import { constants, createNetns, deleteNetns } from '@fairlead/raw-socket';
import type { GroupContext, RowGroup } from '../groups.js';
import { judge, type Row } from '../row.js';
import { median, percentile } from '../statistics.js';

const SERVICES = 10_000;
const ENDPOINTS = 2;
const CHANGES = 200;
const LIMIT = 1 / 200;
const LOOPBACK_INDEX = 1;

export const rows: RowGroup = { name: 'change', run: (context) => Promise.resolve(changeOne(context)) };

function changeOne({ samples: programmings, signal, step }: GroupContext): Row[] {
  const netns = `flbench-change-${process.pid}`;
  createNetns(netns);
  linkUp(netns);
  const counted = counting(openTransport({ protocol: constants.NETLINK_GENERIC, netns }));
  try {
    const ipvs = new Ipvs({ transport: counted.transport });
    const forwarder = createForwarder({ kind: 'ipvs', director: netns, ipvs });
    const planner = new Planner();
    planner.setNode({ name: 'n1', internalIPs: ['10.0.0.1'], ready: true, excluded: false });
    for (let n = 0; n < SERVICES; n++) {
      planner.setService({
        name: `default/s${n}`,
        vips: [`10.77.${n >> 8}.${n & 255}`],
        ports: [{ port: 80, protocol: 'tcp' }],
        forwarding: 'pod',
      });
      planner.setEndpoints(endpointsInput(slice(n, ENDPOINTS))!);
    }
    planner.take();
    const desired = planner.desired();
    const program = Array.from({ length: programmings }, () => {
      forwarder.sync({ vips: [], virtualServers: [] });
      return timed(() => forwarder.sync(desired));
    });
    step(`${SERVICES} Services programmed in ${program.map(Math.round).join(', ')} ms; now one endpoint at a time`);

    const samples: number[] = [];
    const messages: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      signal.throwIfAborted();
      // Any Service; each loses an endpoint, and gets it back in the next round.
      const service = ((change >> 1) * 7_919) % SERVICES;
      const line = JSON.stringify({
        type: 'MODIFIED',
        object: slice(service, change % 2 === 0 ? ENDPOINTS - 1 : ENDPOINTS),
      });
      const before = counted.messages();
      samples.push(
        timed(() => {
          const { object } = JSON.parse(line) as { object: EndpointSliceObject };
          planner.setEndpoints(endpointsInput(object)!);
          forwarder.update(planner.take());
        }),
      );
      messages.push(counted.messages() - before);
    }
    forwarder.close();
    const reference = { name: `all of the ${SERVICES} programmed`, value: Math.min(...program) };
    return [
      judge({ name: 'ipvs.change.one', value: median(samples), unit: 'ms', reference, limit: LIMIT, samples }),
      judge({ name: 'ipvs.change.one.p99', value: percentile(samples, 99), unit: 'ms', reference }),
      judge({ name: 'ipvs.change.one.messages', value: Math.max(...messages), unit: 'messages', limit: 1 }),
    ];
  } finally {
    counted.transport.close();
    deleteNetns(netns);
  }
}

/** Without an interface that is up no real server is routable, and IPVS takes none. */
function linkUp(netns: string): void {
  const rtnetlink = new Rtnetlink({ netns });
  rtnetlink.setLink(LOOPBACK_INDEX, { up: true });
  rtnetlink.close();
}

function slice(n: number, endpoints: number): EndpointSliceObject {
  return {
    metadata: { namespace: 'default', name: `s${n}-1`, labels: { 'kubernetes.io/service-name': `s${n}` } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, pod) => ({
      addresses: [`10.${100 + (n >> 8)}.${n & 255}.${pod + 1}`],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'n1',
    })),
  };
}

/** How many netlink messages were sent: each begins with its length (struct nlmsghdr). */
function counting(transport: Transport): { transport: Transport; messages: () => number } {
  let messages = 0;
  const send = transport.send.bind(transport);
  transport.send = (data) => {
    const { buffer, byteOffset, byteLength } = data;
    const view = new DataView(buffer, byteOffset, byteLength);
    for (let offset = 0; offset < byteLength; offset += (view.getUint32(offset, true) + 3) & ~3) messages++;
    send(data);
  };
  return { transport, messages: () => messages };
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
