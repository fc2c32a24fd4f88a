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
const spent = () => { const { user, system } = process.cpuUsage(); return user + system; };
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

const topics = {
  // The steps of a workflow through their parallel executor; a step waits, or computes.
  async execute({ steps, burn }) {
    const { executeWorkflowSteps } = await tool("workflow/parallel-executor.mjs");
    const order = [];
    const stepExecutor = async (step) => {
      if (burn) for (const end = spent() + step.ms * 1e3; spent() < end;);
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

  // An artifact by its name in a registry of a size: their index in memory, and the search
  // through the array of artifacts that their older callers make.
  async lookup({ sizes }) {
    const { createIndexedRegistry, getArtifactsArray } = await tool("run-manager.mjs");
    const each = (n, find) => {
      const from = now();
      for (let i = 0; i < n; i++) if (!find(i)) throw new Error("lost");
      return micros(from) / n;
    };
    const out = {};
    for (const size of sizes) {
      const artifacts = {}, names = [];
      for (let i = 0; i < size; i++) {
        names[i] = `artifact-${i}`;
        artifacts[names[i]] = { name: names[i], type: "json", step: `${i % 100}`, version: 1 };
      }
      const index = createIndexedRegistry({ artifacts }), at = (i) => names[(i * 7919) % size];
      each(20000, (i) => index.getByName(at(i)));
      out[size] = { index: each(50000, (i) => index.getByName(at(i))),
        scan: each(size > 10000 ? 20 : 500,
          (i) => getArtifactsArray({ artifacts }).find((a) => a.name === at(i))) };
    }
    return out;
  },
};

process.stdout.write(JSON.stringify(await topics[topic](given)));
