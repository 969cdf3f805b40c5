import { Rtnetlink } from '@fairlead/netlink';
import { createNetns, deleteNetns, inNetns } from '@fairlead/raw-socket';
import { expect } from 'chai';
import type { Packet } from './transport.js';
import { UnicastSocket } from './unicast-socket.js';

describe('a unicast socket for advertisements', () => {
  const netns = `fl-unicast-${process.pid}`;
  const [self, peer, unreachable] = ['127.0.0.1', '127.0.0.2', '10.9.9.9'] as const;
  const opened: UnicastSocket[] = [];
  before(() => {
    createNetns(netns);
    const rtnetlink = new Rtnetlink({ netns });
    rtnetlink.setLink(1, { up: true });
    rtnetlink.close();
  });
  afterEach(() => {
    for (const socket of opened.splice(0)) socket.close();
  });
  after(() => deleteNetns(netns));

  function open(source: string, peers: readonly string[], onPacket: (packet: Packet) => void): UnicastSocket {
    const onError = (error: Error) => {
      throw error;
    };
    const onFault = (fault: string, from: string) => onError(new Error(`${fault} of ${from}`));
    const make = () => new UnicastSocket({ family: 'ipv4', source, peers, onPacket, onFault, onError });
    const socket = inNetns(netns, make);
    opened.push(socket);
    return socket;
  }

  for (const peers of [
    [unreachable, peer],
    [peer, unreachable],
  ]) {
    it(`sends everything to all peers, whoever of them cannot be reached, whenever it is told to (${peers})`, async () => {
      const heard: string[] = [];
      let done = () => {};
      const all = new Promise<void>((resolve) => {
        done = resolve;
      });
      open(peer, [self], ({ payload }) => {
        heard.push(payload.toString());
        if (heard.length === 4) done();
      });
      const prepared = open(self, peers, () => {}).prepare(([, , , last]) => [
        Buffer.from(`first to ${last}`),
        Buffer.from(`second to ${last}`),
      ]);
      for (let round = 0; round < 2; round++)
        expect(() => prepared.send())
          .to.throw(Error)
          .with.property('code', 'ENETUNREACH');
      await all;
      expect(heard).to.deep.equal(['first to 2', 'second to 2', 'first to 2', 'second to 2']);
    });
  }
});
