import { expect } from 'chai';
import { type Bench, type BenchContext, UsageError } from './bench.js';
import { judge, type Row } from './row.js';
import { runBench } from './runner.js';

describe('npm run bench', () => {
  const kept = judge({ name: 'outage', value: 1800, unit: 'ms', limit: 4000, samples: [1700, 1900] });
  const missed = judge({ name: 'rate', value: 10, unit: '1/s', limit: 20, better: 'higher' });

  function scene(rows: Row[]) {
    const contexts: BenchContext[] = [];
    const printed: string[] = [];
    const said: string[] = [];
    const files = new Map<string, string>();
    const bench: Bench = {
      name: 'sample',
      title: 'measures nothing',
      needs: 'root',
      commands: ['keepalived', 'perl'],
      run: async (context) => {
        if (context.args.includes('--wrong')) throw new UsageError('--wrong is no option');
        contexts.push(context);
        context.step('measuring');
        return rows;
      },
    };
    const run = (...args: string[]) =>
      runBench(args, {
        benches: [bench],
        signal: new AbortController().signal,
        colors: false,
        print: (text) => printed.push(text),
        say: (text) => said.push(text),
        writeFile: async (path, text) => void files.set(path, text),
      });
    return { run, contexts, printed, said, files };
  }

  it('tells of a wrong option in one line, and ends with 2', async () => {
    const { run, said } = scene([kept]);
    expect(await run('sample', '--wrong')).to.equal(2);
    expect(said.at(-1)).to.equal('sample: --wrong is no option');
  });

  it('lists the benchmarks when none is named', async () => {
    const { run, printed, contexts } = scene([kept]);
    expect(await run()).to.equal(0);
    expect(printed.join('\n')).to.include('sample  measures nothing');
    expect(contexts).to.have.length(0);
  });

  it('tells what a benchmark needs without running it', async () => {
    const { run, printed, contexts } = scene([kept]);
    expect(await run('--needs', 'sample')).to.equal(0);
    expect(printed).to.deep.equal(['root keepalived perl']);
    expect(contexts).to.have.length(0);
  });

  it('names the ones there are when asked for another', async () => {
    const { run, said } = scene([kept]);
    expect(await run('other')).to.equal(2);
    expect(said.join('\n')).to.include('"other"').and.include('sample');
  });

  it('succeeds when every limit is kept, and prints the table and the progress', async () => {
    const { run, printed, said } = scene([kept]);
    expect(await run('sample')).to.equal(0);
    expect(printed.join('\n')).to.match(/outage +1800 +ms +≤ 4000 +✔ ok/);
    expect(said.join('\n')).to.include('measuring');
  });

  it('fails when a limit is missed, and names the row', async () => {
    const { run, said } = scene([kept, missed]);
    expect(await run('sample')).to.equal(1);
    expect(said.at(-1)).to.include('rate').and.not.include('outage');
  });

  it('fails when there are no rows: nothing was measured', async () => {
    const error = await scene([])
      .run('sample')
      .catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(Error);
  });

  it('writes the rows, missed ones and raw samples included, as JSON', async () => {
    const { run, files, contexts } = scene([kept, missed]);
    await run('sample', '--rounds', '3', '--json', 'out.json', '--fast');
    expect(JSON.parse(files.get('out.json') ?? '')).to.deep.equal([kept, missed]);
    expect(contexts[0]?.args).to.deep.equal(['--rounds', '3', '--fast']);
  });
});
