/** For tests of programs that use this package: transports and kernels in memory. */
export * from './fake-transport.js';
export { FakeIpvsKernel } from './ipvs/fake-kernel.js';
