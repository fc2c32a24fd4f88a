// The functions of the framework behind this project, timed where a user supplies a checkout
// of it: node framework.mjs TOPIC CHECKOUT, a JSON document on standard input, one on standard
// output. The functions keep files in that checkout: give a copy. Nothing of it is kept here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [topic, checkout] = process.argv.slice(2);
const given = JSON.parse(readFileSync(0, "utf8"));
const tool = (name) => import(pathToFileURL(join(checkout, ".claude/tools", name)).href);
console.log = console.warn = console.error = () => {}; // they narrate

const micros = (from) => Number(process.hrtime.bigint() - from) / 1e3;
const now = () => process.hrtime.bigint();
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

const topics = {
  // The steps of a workflow through their parallel executor; a step waits, or computes.
  async execute({ steps, burn }) {
    const { executeWorkflowSteps } = await tool("workflow/parallel-executor.mjs");
    const order = [];
    const stepExecutor = async (step) => {
      if (burn) for (const end = now() + BigInt(step.ms) * 1000000n; now() < end;);
      else await new Promise((done) => setTimeout(done, step.ms));
      order.push(step.step);
    };
    const from = now();
    const r = await executeWorkflowSteps(steps, {}, { stepExecutor });
    return { ms: micros(from) / 1e3, ok: r.success.length, failed: r.failed.length, order };
  },

  // A trace of skill calls: looked up, and set where the look-up found nothing.
  async skills({ calls }) {
    const { getCachedResult, setCachedResult, clearCache } = await tool("skill-cache.mjs");
    clearCache();
    const hit = [], miss = [], set = [];
    for (const [name, params] of calls) {
      const from = now();
      const found = getCachedResult(name, params);
      (found ? hit : miss).push(micros(from));
      if (found) continue;
      const start = now();
      setCachedResult(name, params, { skill: name, params, rules: ["a", "b", "c"] });
      set.push(micros(start));
    }
    clearCache();
    return { hits: hit.length, calls: calls.length, hit: median(hit), miss: median(miss),
      set: median(set) };
  },

  // An artifact by its name in a registry of a size; the file is made here, in the folder given.
  async lookup({ sizes, dir }) {
    process.chdir(dir);
    const { getArtifact, saveRegistry } = await tool("artifact-registry.mjs");
    const out = {};
    for (const size of sizes) {
      const artifacts = [];
      for (let i = 1; i <= size; i++)
        artifacts.push({ name: `artifact-${i}`, step: `${i % 100}`, version: 1, metadata: {} });
      saveRegistry(`bench-${size}`, { artifacts, dependencies: {} });
      const times = [], rounds = size > 10000 ? 5 : 50;
      for (let i = 0; i < rounds; i++) {
        const from = now();
        if (!(await getArtifact(`bench-${size}`, `artifact-${((i * 7919) % size) + 1}`)))
          throw new Error("lost");
        times.push(micros(from));
      }
      out[size] = median(times);
    }
    return out;
  },
};

process.stdout.write(JSON.stringify(await topics[topic](given)));
