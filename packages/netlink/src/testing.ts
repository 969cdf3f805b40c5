/** For tests of programs that use this package: transports and kernels in memory, and suites that need the running kernel's IPVS. */
export { describeWithIpvs } from './describe-with-ipvs.js';
export * from './fake-transport.js';
export { FakeIpvsKernel } from './ipvs/fake-kernel.js';
