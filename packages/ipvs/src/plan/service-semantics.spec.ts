/** What the wishes of a Service come to: table by table, through `plan`. */
import { expect } from 'chai';
import type { EndpointInput, EndpointsInput, NodeInput, ServiceInput } from './input.js';
import { type PlanInput, plan } from './plan.js';

function node(n: number, state: Partial<NodeInput> = {}): NodeInput {
  const internalIPs = [`10.77.0.${10 + n}`, `fd00:77::${10 + n}`];
  return { name: `n${n}`, internalIPs, ready: true, excluded: false, ...state };
}

function web(wishes: Partial<ServiceInput> = {}): ServiceInput {
  return {
    name: 'shop/web',
    vips: ['10.77.0.200'],
    ports: [{ port: 80, nodePort: 30080, protocol: 'tcp' }],
    ...wishes,
  };
}

/** `10.244.1.2@n1`, `10.244.1.2@n1!` (terminating), `192.0.2.9` */
function slice(texts: string[], change: Partial<EndpointsInput> = {}): EndpointsInput {
  const endpoints = texts.map((text): EndpointInput => {
    const [address = '', on] = text.replace('!', '').split('@');
    return { address, ...(on ? { node: on } : {}), ...(text.endsWith('!') ? { terminating: true } : {}) };
  });
  const ports = [{ port: 8080, protocol: 'tcp' as const }];
  return { name: 'shop/web-1', service: 'shop/web', family: 'ipv4', ports, endpoints, ...change };
}

const nodes = [node(1), node(2), node(3)];

/** `address:port/weight` of the real servers of the first virtual server. */
function forwarded(input: Partial<PlanInput>): string[] {
  const [server] = plan({ services: [web()], nodes, ...input }).virtualServers;
  return server!.realServers.map(({ address, port, weight }) => `${address}:${port}/${weight}`);
}

function problems(input: Partial<PlanInput>): string[] {
  return plan({ services: [web()], nodes, ...input }).problems.map(({ code }) => code);
}

describe('an annotation that looks like one of ours and is none', () => {
  it('is told, with those that there are', () => {
    const services = [web({ unknownAnnotations: ['fairlead.dev/sheduler'] })];
    const [told] = plan({ services, nodes }).problems;
    expect(told!.code).to.equal('FL_UNKNOWN_ANNOTATION');
    expect(told!.message).to.match(/fairlead\.dev\/sheduler, .*fairlead\.dev\/scheduler/);
  });
});

describe('externalTrafficPolicy Local', () => {
  const services = [web({ local: true })];

  it('forwards to nodes with ready endpoints only, weighted by how many they have', () => {
    const endpoints = [slice(['10.244.1.2@n1', '10.244.3.2@n3', '10.244.3.3@n3'])];
    expect(forwarded({ services, endpoints })).to.deep.equal(['10.77.0.11:30080/1', '10.77.0.13:30080/2']);
  });

  it('counts over all slices of a port, and an endpoint in two of them once, as the one that is ready', () => {
    const endpoints = [
      slice(['10.244.1.2@n1', '10.244.1.3@n1!']),
      slice(['10.244.1.3@n1', '10.244.1.4@n1'], { name: 'shop/web-2' }),
    ];
    expect(forwarded({ services, endpoints })).to.deep.equal(['10.77.0.11:30080/3']);
  });

  it('counts for each port the endpoints of that port', () => {
    const ports = [
      { name: 'http', port: 80, nodePort: 30080, protocol: 'tcp' as const },
      { name: 'dns', port: 53, nodePort: 30053, protocol: 'udp' as const },
    ];
    const endpoints = [
      slice(['10.244.1.2@n1'], { ports: [{ name: 'http', port: 8080, protocol: 'tcp' }] }),
      slice(['10.244.2.2@n2'], { name: 'shop/web-2', ports: [{ name: 'dns', port: 5353, protocol: 'udp' }] }),
    ];
    const { virtualServers } = plan({ services: [web({ local: true, ports })], nodes, endpoints });
    expect(virtualServers.map(({ protocol, realServers: [real] }) => [protocol, real!.address])).to.deep.equal([
      ['tcp', '10.77.0.11'],
      ['udp', '10.77.0.12'],
    ]);
  });

  it('says so when no endpoint names its node, and not when there is none, or some do', () => {
    expect(problems({ services, endpoints: [slice(['192.0.2.9', '192.0.2.10'])] })).to.deep.equal([
      'FL_ENDPOINTS_NOWHERE',
    ]);
    expect(problems({ services, endpoints: [slice([])] })).to.deep.equal([]);
    expect(problems({ services, endpoints: [slice(['192.0.2.9', '10.244.1.2@n1'])] })).to.deep.equal([]);
    expect(problems({ services: [web()], endpoints: [slice(['192.0.2.9'])] })).to.deep.equal([]);
  });

  it('leaves out nodes that are unhealthy, not ready or excluded', () => {
    const endpoints = [slice(['10.244.1.2@n1', '10.244.2.2@n2'])];
    const only = ['10.77.0.11:30080/1'];
    expect(forwarded({ services, endpoints, health: (name) => name !== 'n2' })).to.deep.equal(only);
    expect(forwarded({ services, endpoints, nodes: [node(1), node(2, { ready: false })] })).to.deep.equal(only);
    expect(forwarded({ services, endpoints, nodes: [node(1), node(2, { excluded: true })] })).to.deep.equal(only);
  });

  it('keeps nodes with endpoints when all nodes look unusable, and no others', () => {
    const endpoints = [slice(['10.244.2.2@n2'])];
    expect(forwarded({ services, endpoints, health: () => false })).to.deep.equal(['10.77.0.12:30080/1']);
  });

  it('uses endpoints that terminate only when nothing else can be reached', () => {
    const endpoints = [slice(['10.244.1.2@n1!', '10.244.1.3@n1!', '10.244.2.2@n2'])];
    expect(forwarded({ services, endpoints })).to.deep.equal(['10.77.0.12:30080/1']);
    expect(forwarded({ services, endpoints, health: (name) => name !== 'n2' })).to.deep.equal(['10.77.0.11:30080/2']);
  });

  it('counts endpoints of the VIP’s family only', () => {
    const endpoints = [slice(['fd00:244::2@n1'], { family: 'ipv6' }), slice(['10.244.2.2@n2'], { name: 'shop/web-2' })];
    const dual = [web({ local: true, vips: ['10.77.0.200', 'fd00:77::200'] })];
    const { virtualServers } = plan({ services: dual, nodes, endpoints });
    expect(virtualServers.map(({ realServers }) => realServers.map(({ address }) => address))).to.deep.equal([
      ['10.77.0.12'],
      ['fd00:77::11'],
    ]);
  });

  it('refuses connections while no node has an endpoint, or nobody knows where they are', () => {
    expect(forwarded({ services })).to.deep.equal([]);
    expect(forwarded({ services, endpoints: [slice(['192.0.2.9'])] })).to.deep.equal([]);
  });
});

describe('externalTrafficPolicy Cluster', () => {
  it('forwards to all nodes, and lets kube-proxy refuse when there are no endpoints', () => {
    const all = ['10.77.0.11:30080/1', '10.77.0.12:30080/1', '10.77.0.13:30080/1'];
    expect(forwarded({})).to.deep.equal(all);
    expect(forwarded({ endpoints: [slice(['10.244.1.2@n1'])] })).to.deep.equal(all);
    expect(forwarded({ endpoints: [slice(['192.0.2.9'])] })).to.deep.equal(all);
  });
});

describe('forwarding to Pods', () => {
  const services = [web({ forwarding: 'pod' })];

  it('goes to every ready endpoint, by annotation or because there are no NodePorts', () => {
    const endpoints = [slice(['10.244.2.2@n2', '10.244.1.10@n1', '10.244.1.9@n1'])];
    const pods = ['10.244.1.9:8080/1', '10.244.1.10:8080/1', '10.244.2.2:8080/1'];
    expect(forwarded({ services, endpoints })).to.deep.equal(pods);
    expect(forwarded({ services: [web({ forwarding: 'pod', local: true })], endpoints })).to.deep.equal(pods);
    const ports = [{ port: 80, protocol: 'tcp' as const }];
    expect(forwarded({ services: [web({ withoutNodePorts: true, ports })], endpoints })).to.deep.equal(pods);
  });

  it('does not happen where the annotation says node, with or without NodePorts', () => {
    const nodePort = [web({ withoutNodePorts: true, forwarding: 'node' })];
    expect(forwarded({ services: nodePort })).to.have.length(3);
    const none = [web({ withoutNodePorts: true, forwarding: 'node', ports: [{ port: 80, protocol: 'tcp' }] })];
    expect(problems({ services: none })).to.deep.equal(['FL_NO_NODE_PORT']);
    const dual = none.map((service) => ({ ...service, vips: ['10.77.0.200', 'fd00:77::200'] }));
    expect(problems({ services: dual })).to.deep.equal(['FL_NO_NODE_PORT']);
  });

  it('says so when the annotation is neither, and takes the default', () => {
    expect(problems({ services: [web({ forwarding: 'pods' })] })).to.deep.equal(['FL_BAD_FORWARDING']);
    expect(forwarded({ services: [web({ forwarding: 'pods' })] })).to.have.length(3);
  });

  it('goes to each endpoint’s own port, where the name of the target port means different ones', () => {
    const endpoints = [
      slice(['10.244.1.2@n1']),
      slice(['10.244.1.2@n1'], { name: 'shop/web-2', ports: [{ port: 9090, protocol: 'tcp' }] }),
      slice(['10.244.1.3@n1'], { name: 'shop/web-3', ports: [{ name: 'other', port: 1, protocol: 'tcp' }] }),
      slice(['10.244.1.4@n1'], { name: 'shop/web-4', ports: [{ port: 8080, protocol: 'udp' }] }),
    ];
    expect(forwarded({ services, endpoints })).to.deep.equal(['10.244.1.2:8080/1', '10.244.1.2:9090/1']);
  });

  it('leaves out endpoints on dead nodes, but neither those on excluded or unready ones nor those on no node', () => {
    const endpoints = [slice(['10.244.1.2@n1', '10.244.2.2@n2', '10.244.3.2@n3', '192.0.2.9', '10.244.9.2@unknown'])];
    const desired = {
      services,
      endpoints,
      nodes: [node(1), node(2, { excluded: true }), node(3, { ready: false }), node(4)],
      health: (name: string) => name !== 'n1',
    };
    expect(forwarded(desired)).to.deep.equal([
      '10.244.2.2:8080/1',
      '10.244.3.2:8080/1',
      '10.244.9.2:8080/1',
      '192.0.2.9:8080/1',
    ]);
  });

  it('uses endpoints that terminate only when nothing else can be reached', () => {
    const endpoints = [slice(['10.244.1.2@n1!', '10.244.2.2@n2'])];
    expect(forwarded({ services, endpoints })).to.deep.equal(['10.244.2.2:8080/1']);
    expect(forwarded({ services, endpoints, health: (name) => name !== 'n2' })).to.deep.equal(['10.244.1.2:8080/1']);
  });

  it('forwards to a database outside of the cluster, behind a Service without selector', () => {
    const outside = slice(['192.0.2.9', '192.0.2.10'], {
      name: 'shop/by-hand',
      ports: [{ port: 5432, protocol: 'tcp' }],
    });
    expect(forwarded({ services, endpoints: [outside] })).to.deep.equal(['192.0.2.9:5432/1', '192.0.2.10:5432/1']);
  });
});

describe('the dead', () => {
  it('are the addresses of nodes that the probes do not reach, and of the Pods there that are forwarded to', () => {
    const endpoints = [slice(['10.244.1.2@n1', '10.244.2.2@n2'])];
    const input = { nodes, endpoints, health: (name: string) => name !== 'n2' };
    expect([...plan({ ...input, services: [web({ forwarding: 'pod' })] }).dead!]).to.deep.equal([
      '10.77.0.12',
      '10.244.2.2',
      'fd00:77::12',
    ]);
    expect([...plan({ ...input, services: [web()] }).dead!]).to.deep.equal(['10.77.0.12', 'fd00:77::12']);
  });

  it('are nobody while all nodes look dead, nor is a node that is merely not ready', () => {
    expect(plan({ services: [web()], nodes, health: () => false })).not.to.have.property('dead');
    expect(plan({ services: [web()], nodes: [node(1), node(2, { ready: false })] })).not.to.have.property('dead');
  });
});

describe('settings of a Service', () => {
  const settings = (wishes: Partial<ServiceInput>, scheduler?: string) => {
    const [server] = plan({ services: [web(wishes)], nodes, ...(scheduler ? { scheduler } : {}) }).virtualServers;
    const { realServers: _, address: __, port: ___, protocol: ____, ...rest } = server!;
    return rest;
  };

  it('are the cluster’s scheduler, or its own', () => {
    expect(settings({})).to.deep.equal({ scheduler: 'wrr' });
    expect(settings({}, 'lc')).to.deep.equal({ scheduler: 'lc' });
    expect(settings({ scheduler: 'mh,mh-port' }, 'lc')).to.deep.equal({
      scheduler: 'mh',
      flags: ['mh-fallback', 'mh-port'],
    });
  });

  it('say what is wrong with a scheduler that there is not, where, and what is used instead', () => {
    expect(settings({ scheduler: 'fast' }, 'wlc')).to.deep.equal({ scheduler: 'wlc' });
    const [problem] = plan({ services: [web({ scheduler: 'fast' })], nodes }).problems;
    expect(problem).to.include({ service: 'shop/web', code: 'FL_BAD_SCHEDULER' });
    expect(problem!.message).to.match(
      /shop\/web.*fairlead\.dev\/scheduler: "fast".*wrr is used.*corrected or removed/s,
    );
  });

  it('refuse a cluster default that there is not', () => {
    expect(() => settings({}, 'fast'))
      .to.throw('"fast" as the default scheduler')
      .with.property('code', 'FL_BAD_SCHEDULER');
  });

  it('are how long a client stays with its real server', () => {
    expect(settings({ persistenceSeconds: 60 })).to.deep.equal({ scheduler: 'wrr', persistenceSeconds: 60 });
  });

  it('are who may connect, by the VIP’s family', () => {
    const wishes = { vips: ['10.77.0.200', 'fd00:77::200'], sourceRanges: ['10.0.0.0/8', 'fd00::/8'] };
    const { virtualServers } = plan({ services: [web(wishes)], nodes });
    expect(virtualServers.map(({ sourceRanges }) => sourceRanges)).to.deep.equal([['10.0.0.0/8'], ['fd00::/8']]);
  });

  it('let nobody in by a range that is none, and say so', () => {
    expect(settings({ sourceRanges: ['10.0.0.0/8', 'office'] }))
      .to.have.property('sourceRanges')
      .deep.equal(['10.0.0.0/8']);
    expect(problems({ services: [web({ sourceRanges: ['10.0.0.0/8', 'office'] })] })).to.deep.equal([
      'FL_BAD_SOURCE_RANGE',
    ]);
    expect(settings({ sourceRanges: ['office'] }))
      .to.have.property('sourceRanges')
      .deep.equal([]);
    expect(settings({ sourceRanges: ['fd00::/8'] }))
      .to.have.property('sourceRanges')
      .deep.equal([]);
    expect(problems({ services: [web({ sourceRanges: ['fd00::/8'] })] })).to.deep.equal(['FL_NO_SOURCE_RANGE']);
    expect(problems({ services: [web({ sourceRanges: ['0.0.0.0/0'] })] })).to.deep.equal([]);
  });
});

describe('checks of real servers', () => {
  const check = (address: string, port?: number) => ({
    service: 'shop/web',
    address,
    healthy: false,
    ...(port === undefined ? {} : { port }),
  });

  it('take out what fails, one port of it or all', () => {
    expect(forwarded({ checks: [check('10.77.0.12')] })).to.have.length(2);
    expect(forwarded({ checks: [check('10.77.0.12', 30080)] })).to.have.length(2);
    expect(forwarded({ checks: [check('10.77.0.12', 30081)] })).to.have.length(3);
    expect(forwarded({ checks: [{ ...check('10.77.0.12'), service: 'shop/other' }] })).to.have.length(3);
    expect(forwarded({ checks: [check('10.77.0.12'), { ...check('10.77.0.12'), healthy: true }] })).to.have.length(3);
  });

  it('keep all when all fail, and say so', () => {
    const checks = ['10.77.0.11', '10.77.0.12', '10.77.0.13'].map((address) => check(address));
    expect(forwarded({ checks })).to.have.length(3);
    expect(problems({ checks })).to.deep.equal(['FL_ALL_CHECKS_FAILED']);
  });
});
