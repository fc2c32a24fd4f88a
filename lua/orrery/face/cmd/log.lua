-- orrery log STEP: what a step wrote.
local errors = require("orrery.kernel.errors")
local journal = require("orrery.run.records.journal")
local past = require("orrery.face.past")
local store = require("orrery.run.records.runs")
local words = require("orrery.face.words")

local log = {}

log.usage = "orrery log STEP"
log.about = [[
Prints what a step wrote when it last ran or was restored, all of it. Its standard output
goes to stdout, its standard error to stderr.]]
log.flags = { "run", "stdout", "stderr" }
log.examples = { { "orrery log build", "of the last run in which it did anything" },
  { "orrery log build --run 7f3c", "of that run" },
  { "orrery log test --stderr 2>&1 | less", "one stream" } }

local function find(run, id)
  for i = #run.events, 1, -1 do
    local e = run.events[i]
    if e.ev == "step_finished" and e.id == id then return e end
  end
end

-- A step that was up to date wrote nothing this time: the last time it did counts.
local function earlier(root, id)
  for _, name in ipairs(store.ids(root)) do
    local run = past.open(root, name)
    local e = find(run, id)
    if e then return run, e end
  end
end

local function print_streams(c, run, e)
  local both = not c.opts.stdout and not c.opts.stderr
  if both or c.opts.stdout then c.out(journal.text(run.dir, e, "stdout")) end
  if both or c.opts.stderr then c.err(journal.text(run.dir, e, "stderr")) end
end

--- Prints the log.
---@param c table the invocation
---@return integer
function log.main(c)
  local id = c.words[1]
  local run = past.here(c.opts.run)
  if not id then
    local ids = {}
    for i, s in ipairs(require("orrery.face.show.tally").all(run.state)) do ids[i] = s.id end
    errors.raise("usage", "log needs a step: orrery log STEP",
      { hint = "the last run had " .. words.some(ids, 12) })
  end
  local e = find(run, id)
  if not e and not c.opts.run then
    local other, event = earlier(run.root, id)
    if event then run, e = other, event end
  end
  if not e then
    local step = past.step(run, id)
    c.err(("%s wrote nothing in run %s: %s\n"):format(id, run.id,
      require("orrery.face.show.line").word(step)))
    return 0
  end
  print_streams(c, run, e)
  return 0
end

return log
