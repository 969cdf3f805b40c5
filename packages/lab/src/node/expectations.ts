/** Who waits for what in the rules of a node: lets tests wait for kube-proxy instead of sleeping. Pure. */
import type { ServicePort } from './kube-proxy/service-ports.js';
import type { ProxyExpectation } from './protocol.js';

export class Expectations {
  #ports: readonly ServicePort[] = [];
  #waiting: { expectation: ProxyExpectation; met: () => void }[] = [];

  /** The rules for these ports are in the kernel. */
  rulesLoaded(ports: readonly ServicePort[]): void {
    this.#ports = ports;
    const met = this.#waiting.filter(({ expectation }) => holds(ports, expectation));
    this.#waiting = this.#waiting.filter((waiter) => !met.includes(waiter));
    for (const waiter of met) waiter.met();
  }

  /** Calls `met` once, when the rules hold what is expected: maybe now. */
  expect(expectation: ProxyExpectation, met: () => void): void {
    if (holds(this.#ports, expectation)) met();
    else this.#waiting.push({ expectation, met });
  }
}

/** Whether every port of the Service has what is expected. */
export function holds(ports: readonly ServicePort[], expectation: ProxyExpectation): boolean {
  const { service, endpoints, localEndpoints, loadBalancerVips, absent } = expectation;
  const own = ports.filter((port) => port.service === service);
  if (absent) return own.length === 0;
  return (
    own.length > 0 &&
    own.every(
      (port) =>
        (endpoints === undefined || port.clusterEndpoints.length === endpoints) &&
        (localEndpoints === undefined || port.localEndpoints.length === localEndpoints) &&
        (loadBalancerVips === undefined || sameSet(port.loadBalancerVips, loadBalancerVips)),
    )
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}
