-- orrery runs [show RUN | prune]
local displays = require("orrery.face.displays")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")
local pack = require("orrery.core.pack")
local past = require("orrery.face.past")
local store = require("orrery.run.runs")
local sys = require("orrery.core.sys")
local target = require("orrery.face.target")
local waiting = require("orrery.run.waiting")
local words = require("orrery.face.words")

local runs = {}

runs.usage = "orrery runs [list | show [RUN] | prune]"
runs.about = [[
Lists earlier runs, the newest first; shows one again from its journal, in any of the forms
that run writes; or removes old ones (50 runs or 30 days are kept). RUN is an id, a part of
one that fits no other, or last.]]
runs.flags = { "json", "limit", "junit", "report", "summary", "trace", "output", "timestamps",
  "quiet", "verbose", "events" }
runs.examples = { { "orrery runs", "what ran, when, and how it went" },
  { "orrery runs show", "the last run again" },
  { "orrery runs show 7f3c --junit out.xml", "a report of an earlier run" } }

local function list(c)
  local root = target.root()
  local entries, now = store.list(root, c.opts.limit or 20), sys.wall()
  if c.opts.json then
    c.out(json.encode(pack.array(entries), { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local rows = {}
  for i, r in ipairs(entries) do
    local tip = r.status ~= "ok" and store.tip(root, r.id) or r.id
    local status = tip ~= r.id and r.status .. " → " .. tip or r.status
    rows[i] = { r.id, r.workflow or "?", status, r.seconds and words.seconds(r.seconds) or "",
      r.wall and words.ago(now - r.wall) or "" }
  end
  for _, line in ipairs(words.columns(rows)) do c.out(line .. "\n") end
  if #rows == 0 then c.err("there is no run yet\n") end
  return 0
end

-- What people said since to the questions of a run that waits.
local function decided(c, run)
  for _, q in ipairs(waiting.of(run.dir, run.events)) do
    local d = q.decision
    if d and not d.ev then
      c.out(("%s was %s by %s%s; orrery resume %s goes on with it\n"):format(q.id, d.verdict,
        d.by or "somebody", d.reason and " (" .. d.reason .. ")" or "", run.id))
    elseif not d and waiting.is_over(q) then
      c.out(("%s: the time for an answer is over\n"):format(q.id))
    end
  end
end

local function show(c, name)
  local run = past.open(target.root(), name)
  local shown = displays.new(c, { dir = run.dir })
  for _, e in ipairs(run.events) do shown:event(e) end
  if run.damaged > 0 then
    c.err(("orrery: warning: %s of the journal could not be read\n"):format(
      words.count(run.damaged, "line")))
  end
  if not shown.state.finished and not c.opts.json then
    local status = store.summary(target.root(), run.id).status
    c.out(status == "running" and ("run %s is still running\n"):format(run.id)
      or ("run %s did not finish; orrery resume %s goes on with it\n"):format(run.id, run.id))
  end
  if not c.opts.json then decided(c, run) end
  shown:close()
  return 0
end

local function prune(c)
  local root = target.root()
  local n = fs.stat(store.dir(root)) and store.prune(root) or 0
  c.out(words.count(n, "run") .. " removed\n")
  return 0
end

local verbs = { list = list, show = show, prune = prune }

--- Lists, shows or prunes.
---@param c table the invocation
---@return integer
function runs.main(c)
  local verb = c.words[1] or "list"
  if verbs[verb] then return verbs[verb](c, c.words[2]) end
  if store.find(target.root(), verb) then return show(c, verb) end
  errors.raise("usage", ("runs cannot '%s', and there is no such run"):format(verb),
    { hint = nearest.hint(verb, verbs) or "it can list, show and prune" })
end

return runs
