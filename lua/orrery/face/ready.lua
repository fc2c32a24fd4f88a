-- What the binary carries loaded (core/host/image): the modules that most runs need, and those
-- that they require. The rest is loaded when something asks for it.
local roots = {
  -- a plain run, and what comes with results that are remembered
  "face.main", "face.args", "face.cmd.run", "face.commands", "face.displays", "face.flags",
  "face.named", "face.target", "policy.stop", "run.engine", "run.exec", "run.agents.meter",
  "run.keys.recorded", "run.memo.differ", "run.memo.locks", "run.memo.manifests",
  "run.memo.remake",
  -- the run after one that was remembered
  "run.unchanged.keeping", "run.unchanged.partial", "run.unchanged.putback",
  "run.unchanged.remember",
  -- what many workflows say
  "kernel.workers", "model.clauses", "model.expr", "model.fan", "model.params", "model.paths",
  "model.scope", "model.yaml", "run.body", "run.conditions", "run.gates.gate",
  "run.graph.fanout", "run.graph.retry", "run.graph.selection", "run.keys.depfile",
  "steps.body", "steps.call",
  -- people
  "face.ask", "face.cmd.explain", "face.cmd.list", "face.cmd.plan", "face.cmd.version",
  "face.show.live", "run.records.resume",
}

for _, name in ipairs(roots) do require("orrery." .. name) end

return roots
