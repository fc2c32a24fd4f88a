-- orrery exec --in GLOB --out PATH -- CMD: one command, remembered without a workflow.
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local loops = require("orrery.kernel.loop")
local pack = require("orrery.core.pack")
local single = require("orrery.run.single")
local sys = require("orrery.core.sys")

local exec = {}

exec.usage = "orrery exec --in GLOB --out PATH -- CMD [ARGS]"
exec.about = [[
Runs one command and remembers what came of it: when the command and the files that --in
names are as they were, its outputs are put back and what it printed is printed again.
Without --in it runs each time. Its exit code is the command's.]]
exec.flags = { "in", "out", "env", "cache", "verbose", force = { takes = false, many = false,
  help = "run it again all the same" } }
exec.examples = {
  { "orrery exec --in 'src/**' --out app.tar -- tar cf app.tar src", "an archive, when needed" },
  { "orrery exec --in '*.md' -- sh -c 'spell *.md | sort'", "only what it prints" } }

local function name_of(argv, cwd)
  local digest = assert(pack.digest({ argv, cwd or "." }))
  return argv[1]:match("([^/]*)/*$"):gsub("[%c%s%[%]]", "_") .. "-" .. digest:sub(1, 8)
end

local function workflow_of(c, root, conf)
  local here = sys.cwd()
  local cwd = here ~= root and here:sub(#root + (root == "/" and 1 or 2)) or nil
  local id = name_of(c.rest, cwd)
  return single.make("exec", id, { run = c.rest, cwd = cwd, inputs = c.opts["in"],
    outputs = c.opts.out, env = c.opts.env }, root, conf), id
end

-- Passes on what the command writes, as it comes.
local function relay(c, id)
  local self = { streamed = false }
  function self.sink(e)
    if e.ev == "output" and e.id == id then
      self.streamed = true
      if not c.try(e.stream, e.data) then self.closed = true end
    elseif e.ev == "message" then
      c.err(errors.line(e) .. "\n")
    elseif e.ev == "step_started" and c.opts.verbose then
      c.err(("orrery exec: runs: %s\n"):format(e.reason or ""))
    end
  end
  return self
end

local function finish(c, record, result, shown)
  if not shown.streamed then
    c.try(1, result.stdout or "")
    c.try(2, result.stderr or "")
  end
  if result.cached and c.opts.verbose then
    c.err(("orrery exec: %s\n"):format(result.cached == "clean" and "up to date" or "restored"))
  end
  if record.code == 0 or record.status == "interrupted" then return record.code end
  local err = result.error or {}
  if not (err.class or ""):find("^exit:") or result.exit == 126 or result.exit == 127 then
    c.err("orrery: error: " .. errors.text(err.message or "it failed") .. "\n")
  end
  return result.exit and result.exit ~= 0 and result.exit or record.code
end

--- Runs the command.
---@param c table the invocation
---@return integer
function exec.main(c)
  if not c.rest or not c.rest[1] then
    errors.raise("usage", "exec needs a command after --: orrery exec --in GLOB -- CMD",
      c.words[1] and { hint = ("write -- before %s"):format(c.words[1]) } or nil)
  end
  if c.words[1] then
    errors.raise("usage", ("'%s' comes before --, where only flags go"):format(c.words[1]))
  end
  local root = config.root(sys.cwd())
  local conf = config.load(root)
  local wf, id = workflow_of(c, root, conf)
  local shown = relay(c, id)
  local loop <close> = loops.new()
  local record = require("orrery.run.engine").run(wf, { config = conf, loop = loop, live = true,
    cache = c.opts.cache, force = c.opts.force, argv = c.argv, sinks = { shown.sink } })
  return finish(c, record, record.steps[id] or {}, shown)
end

return exec
