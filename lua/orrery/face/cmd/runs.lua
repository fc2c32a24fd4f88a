-- orrery runs [show RUN | prune]
local displays = require("orrery.face.displays")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local nearest = require("orrery.kernel.nearest")
local pack = require("orrery.core.pack")
local past = require("orrery.face.past")
local state = require("orrery.run.records.state")
local store = require("orrery.run.records.runs")
local sys = require("orrery.core.sys")
local target = require("orrery.face.target")
local waiting = require("orrery.run.records.waiting")
local words = require("orrery.face.words")

local runs = {}

runs.usage = "orrery runs [list | show [RUN] | prune | export [RUN] [FILE] | import FILE]"
runs.about = [[
Lists earlier runs, the newest first; shows one again from its journal, in any of the forms
that run writes; or removes old ones (50 runs or 30 days are kept). RUN is an id, a part of
one that fits no other, or last. export writes a run to one file, with its logs, artifacts and
all that its finished calls rest on (never a secret); import takes it in on another machine and
prints its id: approve and resume go on there, and make no finished call again.]]
runs.flags = { "json", "limit", "junit", "report", "summary", "trace", "output", "timestamps",
  "quiet", "verbose", "events", "to" }
runs.examples = { { "orrery runs", "what ran, when, and how it went" },
  { "orrery runs show", "the last run again" },
  { "orrery runs show 7f3c --junit out.xml", "a report of an earlier run" },
  { "orrery runs export last -o run.tar", "a run as one file" },
  { "orrery resume $(orrery runs import run.tar)", "goes on with it elsewhere" } }

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

local function export(c, name)
  local root = target.root()
  local id = past.id(root, name)
  local path = c.opts.to or c.words[3] or id .. ".tar"
  local index <close> = state.index(root)
  local cache = state.store(state.cache_dir(root, sys.environ()), {})
  local done = require("orrery.run.bundle.export").write(root, id, path, cache, index)
  if cache then cache:close() end
  c.out(("%s: run %s, %s, %s\n"):format(path, id, words.count(done.files, "file"),
    words.bytes(done.bytes)))
  if #done.lost > 0 then
    c.err(("orrery: warning: these are not what the run made any more, and stay behind; what made "
      .. "them will run again: %s\n"):format(words.some(done.lost, 8)))
  end
  return 0
end

local function import(c, path)
  if not path then errors.raise("usage", "runs import needs a file: orrery runs import FILE") end
  local root = target.root()
  if not fs.stat(path) then errors.raise("usage", ("there is no file '%s'"):format(path)) end
  state.prepare(root)
  c.out(require("orrery.run.bundle.import").read(root, path) .. "\n")
  return 0
end

local verbs = { list = list, show = show, prune = prune, export = export, import = import }

--- Lists, shows or prunes.
---@param c table the invocation
---@return integer
function runs.main(c)
  local verb = c.words[1] or "list"
  if verbs[verb] then return verbs[verb](c, c.words[2]) end
  if store.find(target.root(), verb) then return show(c, verb) end
  errors.raise("usage", ("runs cannot '%s', and there is no such run"):format(verb),
    { hint = nearest.hint(verb, verbs) or "it can list, show, prune, export and import" })
end

return runs
