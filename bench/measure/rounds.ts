// Runs what is compared in turns, a, b, a, b, and never all of a before b: load that comes
// and goes then falls on both. A task says itself how long it took (in CPU time, which other
// processes disturb least); tinybench keeps the samples.
import { Bench } from "tinybench";

export interface TimedTask {
  name: string;
  /** Does the work once; milliseconds it took. */
  run(): Promise<number>;
}

/** Samples in milliseconds by the task's name, one a round. */
export async function inTurns(
  tasks: readonly TimedTask[],
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<Map<string, number[]>> {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true, retainSamples: true });
  for (const { name, run } of tasks) {
    bench.add(name, async () => ({ overriddenDuration: await run() }), { async: true });
  }
  const samples = new Map<string, number[]>(tasks.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    onRound(round);
    for (const { name, result } of await bench.run()) {
      if (result.state !== "completed") throw new Error(`${name} did not complete: ${result.state}`);
      samples.get(name)?.push(...(result.latency.samples ?? []));
    }
    bench.reset();
  }
  return samples;
}
