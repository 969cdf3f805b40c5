import { expect } from 'chai';
import { type Nft, NftError, type NftObject } from '../nft.js';
import { Firewall, type FirewallKernel } from './firewall.js';

/** An nft that holds this table, and refuses changes for this reason. */
function firewall({ table, refusal }: { table?: NftObject[]; refusal?: string }): {
  firewall: Firewall;
  scripts: string[];
} {
  const scripts: string[] = [];
  const nft: Nft = {
    run: (script) => {
      if (refusal !== undefined) throw new NftError('FL_NFT_FAILED', refusal);
      scripts.push(script);
    },
    listTable: () => table,
    eachOfTable: () => table,
  };
  const nobody = { hasChain: () => false, ruleCounts: () => new Map(), counters: () => new Map() };
  const kernel = { nft, reader: nobody } as unknown as FirewallKernel;
  return { firewall: new Firewall('fairlead', kernel), scripts };
}

describe('rules of the firewall', () => {
  it('name what a kernel lacks that refuses them', () => {
    const missing = 'nft could not apply a change: Error: Could not process rule: No such file or directory';
    const { firewall: without } = firewall({ refusal: missing });
    expect(() => without.ensureRules())
      .to.throw(/Linux 5\.6 .*nft_ct nft_chain_nat.*No such file or directory$/)
      .with.property('code', 'FL_KERNEL_FEATURE');
  });

  it('leave other refusals as they are', () => {
    const { firewall: refused } = firewall({ refusal: 'Operation not permitted' });
    expect(() => refused.ensureRules())
      .to.throw('Operation not permitted')
      .with.property('code', 'FL_NFT_FAILED');
  });

  it('are not written over a table that has no edition of ours', () => {
    const { firewall: foreign, scripts } = firewall({ table: [{ chain: { name: 'input' } }] });
    expect(() => foreign.ensureRules())
      .to.throw()
      .with.property('code', 'FL_FOREIGN_TABLE');
    expect(scripts).to.deep.equal([]);
  });

  it('replace those of another edition in one transaction, and take its mark away', () => {
    const { firewall: earlier, scripts } = firewall({ table: [{ chain: { name: 'edition-0' } }] });
    expect(earlier.ensureRules()).to.equal('brought up to date');
    expect(scripts).to.have.length(1);
    expect(scripts[0]).to.contain('delete chain inet fairlead edition-0');
    expect(scripts[0]).to.not.match(/flush (set|map|table)|delete (set|map|table)/);
  });
});
