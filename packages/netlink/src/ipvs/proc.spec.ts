import { expect } from 'chai';
import fc from 'fast-check';
import { parseProcTable } from './proc.js';

/** As Linux 6.1 writes it. */
const TEXT = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000064:0050 rr  
  -> 0AC80002:7C16      Masq    1      0          0         
  -> FFC80001:FFFF      Route   1234567 12         2147483647
UDP  [2001:0db8:0000:0000:0000:0000:0000:0064]:0035 mh persistent 300 FFFFFFFF
  -> [2001:0db8:0000:0000:0000:0000:0000:0001]:7590      Tunnel  0      0          3         
SCTP 0A000064:0051 wlc ops 
FWM  00000005 rr 
  -> 0A000009:0000      Masq    1      0          0         
UDP  0A000064:0050 sh  persistent 60 FFFFFF00
  -> 0AC80002:7C16      Local   1      0          0         
`;

const destination = (address: string, port: number, weight: number, forwarding: string, active = 0, inactive = 0) => ({
  address,
  port,
  weight,
  forwarding,
  activeConnections: active,
  inactiveConnections: inactive,
});

describe('/proc/net/ip_vs', () => {
  it('is read line by line, but for what is chosen by firewall mark', () => {
    expect([...parseProcTable(Buffer.from(TEXT))]).to.deep.equal([
      [
        '10.0.0.100:80/tcp',
        [
          destination('10.200.0.2', 31766, 1, 'masquerade'),
          destination('255.200.0.1', 65535, 1234567, 'direct', 12, 2147483647),
        ],
      ],
      ['[2001:db8::64]:53/udp', [destination('2001:db8::1', 30096, 0, 'tunnel', 0, 3)]],
      ['10.0.0.100:81/sctp', []],
      ['10.0.0.100:80/udp', [destination('10.200.0.2', 31766, 1, 'local')]],
    ]);
  });

  it('is nothing where there is nothing', () => {
    expect(parseProcTable(Buffer.alloc(0)).size).to.equal(0);
    expect(parseProcTable(Buffer.from(TEXT.split('\n').slice(0, 3).join('\n'))).size).to.equal(0);
  });

  it('is nothing where an address is none', () => {
    expect(parseProcTable(Buffer.from('TCP  [2001:0db8:0000:0000:0000:0000:0000:000x]:0035 rr\n')).size).to.equal(0);
  });

  it('may end anywhere and hold any bytes', () => {
    fc.assert(
      fc.property(fc.nat(TEXT.length), fc.uint8Array(), (length, bytes) => {
        parseProcTable(Buffer.concat([Buffer.from(TEXT.slice(0, length)), bytes]));
      }),
    );
  });
});
