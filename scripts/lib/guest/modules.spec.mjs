import { expect } from 'chai';
import { loadOrder } from './modules.mjs';

describe('the order in which kernel modules are loaded', () => {
  const dependencies = [
    'kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko',
    'kernel/net/9p/9pnet.ko:',
    'kernel/fs/netfs/netfs.ko: kernel/fs/fscache/fs-cache.ko.xz',
    'kernel/fs/fscache/fs-cache.ko.xz:',
    '',
  ].join('\n');

  it('has what a module depends on before it, and everything once', () => {
    expect(loadOrder(dependencies, '', ['9p', '9pnet'])).to.deep.equal([
      'kernel/net/9p/9pnet.ko',
      'kernel/fs/fscache/fs-cache.ko.xz',
      'kernel/fs/netfs/netfs.ko',
      'kernel/fs/9p/9p.ko',
    ]);
  });

  it('leaves out what is built in', () => {
    expect(loadOrder(dependencies, 'kernel/drivers/virtio/virtio-pci.ko\n', ['virtio_pci', '9pnet'])).to.deep.equal([
      'kernel/net/9p/9pnet.ko',
    ]);
  });

  it('names a module that the kernel does not have', () => {
    expect(() => loadOrder(dependencies, '', ['ip_vs'])).to.throw('ip_vs');
  });
});
