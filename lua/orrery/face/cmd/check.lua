-- orrery check [WORKFLOW…]: everything that can be known before running.
local args = require("orrery.face.args")
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local load = require("orrery.model.load")
local pack = require("orrery.core.pack")
local remarks = require("orrery.face.remarks")
local schemacheck = require("orrery.run.gates.schemacheck")
local target = require("orrery.face.target")
local usecheck = require("orrery.run.agents.usecheck")
local words = require("orrery.face.words")

local check = {}

check.usage = "orrery check [WORKFLOW…]"
check.about = [[
Checks workflows, all of them when none is named, without running anything: fields, names,
templates, conditions, functions, cycles, params, schemas, what skills are given. Exit 3 when
there is an error.]]
check.flags = { "param", "strict", "json", "verbose", "quiet" }
check.examples = { { "orrery check", "all workflows" },
  { "orrery check release -p version=1.2.3", "one, with the params it would get" },
  { "orrery check -v", "also metadata, and what uncached steps would lose by becoming cached" } }

local function add_error(messages, e, path)
  if type(e) ~= "table" or not (e.messages or e.code) then error(e, 0) end
  for _, m in ipairs(e.messages or { { level = "error", text = errors.text(e),
    place = { file = path }, hint = e.hint } }) do
    messages[#messages + 1] = m
  end
end

-- Loads one file; its messages, and the workflow when there is one.
local function one(messages, path, opts)
  local ok, wf = pcall(load.file, path, opts)
  if not ok then
    if opts.listed and load.is_module(wf) then return nil end
    add_error(messages, wf, path:sub(#opts.root + 2))
    return false
  end
  for _, m in ipairs(wf.warnings or {}) do messages[#messages + 1] = m end
  return wf
end

local function all_files(c, messages, loaded)
  local root, conf = target.root()
  if #args.pairs(c.opts.param, "-p") > 0 then
    errors.raise("usage", "-p needs the workflow it is for: orrery check NAME -p k=v")
  end
  local files = 0
  for _, w in ipairs(load.files(root)) do
    local wf = one(messages, w.path, { root = root, config = conf, inspect = true, listed = true })
    if wf ~= nil then files = files + 1 end
    if wf then loaded[#loaded + 1] = wf end
  end
  return files
end

local function named_files(c, messages, loaded)
  local params = args.pairs(c.opts.param, "-p")
  for _, word in ipairs(c.words) do
    local ok, wf = pcall(target.need, { word }, params, { inspect = c.opts.param == nil })
    if not ok then
      if type(wf) == "table" and wf.code == "usage" then error(wf, 0) end
      add_error(messages, wf, word)
    else
      for _, m in ipairs(wf.warnings or {}) do messages[#messages + 1] = m end
      loaded[#loaded + 1] = wf
    end
  end
  return #c.words
end

local function place_less(a, b)
  local pa, pb = a.place or {}, b.place or {}
  if (pa.file or "") ~= (pb.file or "") then return (pa.file or "") < (pb.file or "") end
  if (pa.line or 0) ~= (pb.line or 0) then return (pa.line or 0) < (pb.line or 0) end
  if (pa.column or 0) ~= (pb.column or 0) then return (pa.column or 0) < (pb.column or 0) end
  return (a.text or "") < (b.text or "")
end

-- In order of place, each once: two workflows may share a module.
local function settle(messages)
  table.sort(messages, place_less)
  local out, said = pack.array({}), {}
  for _, m in ipairs(messages) do
    local line = errors.line(m)
    if not said[line] then
      said[line] = true
      out[#out + 1] = m
    end
  end
  return out
end

local function count(messages)
  local n = { error = 0, warning = 0, note = 0 }
  for _, m in ipairs(messages) do n[m.level or "error"] = (n[m.level or "error"] or 0) + 1 end
  return n
end

local function verdict(c, files, n)
  local what = n.error > 0 and ("%s, %s"):format(words.count(n.error, "error"),
    words.count(n.warning, "warning")) or n.warning > 0 and words.count(n.warning, "warning")
    or "no errors"
  c.out(("%s checked: %s\n"):format(words.count(files, "workflow"), what))
end

--- Checks and prints.
---@param c table the invocation
---@return integer
function check.main(c)
  local messages, loaded = {}, {}
  local files = (#c.words > 0 and named_files or all_files)(c, messages, loaded)
  if files == 0 then
    errors.raise("usage", "there are no workflows here", { hint = "orrery init writes one" })
  end
  if c.opts.verbose then
    for _, wf in ipairs(loaded) do remarks.of(wf, messages) end
  end
  for _, wf in ipairs(loaded) do
    schemacheck.of(wf, messages)
    local ok, why = pcall(usecheck.of, wf, config.load(wf.root), messages)
    if not ok then add_error(messages, why, wf.file:sub(#wf.root + 2)) end
  end
  messages = settle(messages)
  local n = count(messages)
  local bad = n.error > 0 or (c.opts.strict and n.warning > 0)
  if c.opts.json then
    c.out(json.encode({ ok = not bad, workflows = files, errors = n.error, warnings = n.warning,
      messages = messages }, { lossy = true, indent = 2 }) .. "\n")
  else
    for _, m in ipairs(messages) do c.err(errors.line(m) .. "\n") end
    if not c.opts.quiet or bad then verdict(c, files, n) end
  end
  return bad and 3 or 0
end

return check
