-- orrery agents journey list | show ID | check [ID…] | run ID | doctor
local errors = require("orrery.kernel.errors")
local journeys = require("orrery.knowledge.journeys")
local json = require("orrery.core.json")
local load = require("orrery.model.load")
local pack = require("orrery.core.pack")
local preflight = require("orrery.face.preflight")
local selection = require("orrery.run.graph.selection")
local target = require("orrery.face.target")
local verbs = require("orrery.face.verbs")
local words = require("orrery.face.words")

local journey = {}

journey.usage = "orrery agents journey list [GLOB] | show ID | check [ID…] | run ID | doctor"
journey.about = [[
Journeys are what people do with a set of workflows and skills, listed in a registry
(journeys/registry.json, or --registry): each by a workflow, by one skill, or by hand. check
says what a journey needs and what is not there; run checks, then runs it; doctor checks all.]]
journey.flags = { "json", "registry", "agent", "strict", "param", "cache", "jobs", "keep-going",
  "quiet", "verbose", "yes", "force", "timeout", "budget", "resources", "events", "junit", "trace",
  "summary", "output", "timestamps" }
journey.examples = { { "orrery agents journey list", "all of them" },
  { "orrery agents journey check CUJ-005", "is all there that it needs?" },
  { "orrery agents journey run CUJ-005 --agent mock", "without a model" },
  { "orrery agents journey run CUJ-005 --cache=off", "nothing from the cache" },
  { "orrery agents journey doctor", "exit 1 when one cannot run" } }

local function open(c)
  local root, conf = target.root()
  local book = journeys.open(root, c.opts.registry or conf.journeys)
  local run = require("orrery.face.cmd.run")
  return book, { book = book, config = conf, agents = run.agents(c.opts.agent) }
end

local function say(c, value, lines)
  if c.opts.json then
    c.out(json.encode(value, { lossy = true, indent = 2 }) .. "\n")
  elseif #lines > 0 then
    c.out(table.concat(lines, "\n") .. "\n")
  end
end

local function by(one)
  if one.mode == "workflow" then return one.workflow or "no workflow" end
  return one.mode == "skill" and "skill " .. (one.skill or "?") or "by hand"
end

local known = {}

function known.list(c)
  local book = open(c)
  local pattern = c.words[2] and selection.pattern(c.words[2])
  local rows, doc = {}, pack.array({})
  for _, one in ipairs(book.list) do
    if not pattern or one.id:find(pattern) or one.name:find(pattern)
      or one.category:find(pattern) then
      rows[#rows + 1], doc[#doc + 1] = { one.id, one.name, by(one) }, one
    end
  end
  for _, text in ipairs(book.remarks) do c.err(("%s: warning: %s\n"):format(book.path, text)) end
  say(c, doc, words.columns(rows))
  return 0
end

local function needed(c)
  local id = c.words[2]
  if not id then errors.raise("usage", "which journey?", { hint = journey.usage }) end
  local book, self = open(c)
  return book:get(id), self
end

local function row(rows, name, list)
  local text = type(list) == "table" and table.concat(list, ", ") or list
  if text and text ~= "" then rows[#rows + 1] = { name, text } end
end

function known.show(c)
  local one = needed(c)
  local rows, names = {}, {}
  for i, s in ipairs(one.skills) do names[i] = s.name end
  row(rows, "name", one.name)
  row(rows, "about", one.description)
  row(rows, "kind", one.category)
  row(rows, "runs", by(one))
  row(rows, "skills", names)
  row(rows, "schemas", one.schemas)
  row(rows, "said as", one.triggers)
  row(rows, "gives", one.expected)
  row(rows, "takes", one.duration)
  row(rows, "described in", one.doc)
  say(c, one, words.columns(rows))
  return 0
end

local function tell(c, one, found)
  for _, f in ipairs(found) do
    c.err(("%s: %s: %s\n"):format(one.id, f.level, f.text) .. (f.hint and "  " .. f.hint .. "\n"
      or ""))
  end
end

-- What it is, and the worst of what was found.
local function state_of(found, blocking)
  if blocking[1] then return "blocked", blocking[1].text end
  if found[1] then return "ready, with warnings", found[1].text end
  return "ready", ""
end

-- Checks journeys; the worst decides the exit code.
local function check_all(c, self, list)
  local rows, doc, bad = {}, pack.array({}), 0
  for i, one in ipairs(list) do
    local found = preflight.check(self, one)
    local blocking = preflight.blocking(found, c.opts.strict)
    if blocking[1] then bad = bad + 1 end
    doc[i] = { id = one.id, name = one.name, mode = one.mode, ready = blocking[1] == nil,
      findings = pack.array(found) }
    rows[i] = { one.id, state_of(found, blocking) }
  end
  return rows, doc, bad
end

function known.check(c)
  local book, self = open(c)
  local list = {}
  for i = 2, #c.words do list[#list + 1] = book:get(c.words[i]) end
  if #c.words == 1 then list = book.list end
  local rows, doc, bad = check_all(c, self, list)
  if not c.opts.json then
    for i, one in ipairs(list) do tell(c, one, doc[i].findings) end
  end
  for _, r in ipairs(rows) do r[3] = nil end
  say(c, doc, words.columns(rows))
  return bad > 0 and 3 or 0
end

function known.doctor(c)
  local book, self = open(c)
  local rows, doc, bad = check_all(c, self, book.list)
  local lines = words.columns(rows)
  for _, text in ipairs(book.remarks) do lines[#lines + 1] = "registry: " .. text end
  lines[#lines + 1] = ("%s, %d ready, %d blocked"):format(words.count(#book.list, "journey"),
    #book.list - bad, bad)
  say(c, { journeys = doc, registry = book.path, remarks = pack.array(book.remarks) }, lines)
  return (bad > 0 or #book.remarks > 0) and 1 or 0
end

-- A skill of code is a step of its kind; one of prose is told to an agent of its name.
local function skill_workflow(self, one)
  local root, skills = self.book.root, require("orrery.run.agents.skills")
  local fields
  if skills.find(root, one.skill) then
    fields = { skill = one.skill }
  else
    local path = preflight.prose(self.book, one)
    fields = { agent = one.skill, prompt = one.description .. "\n\n"
      .. preflight.prompt(self.book, path) }
  end
  return require("orrery.run.single").make(one.id, one.skill, fields, root, self.config)
end

local function by_hand(c, one)
  c.out(("%s: %s\n%s\n"):format(one.id, one.name, one.description))
  for _, text in ipairs(one.expected) do c.out("  expected: " .. text .. "\n") end
  if one.doc then c.out("  described in " .. one.doc .. "\n") end
  return 0
end

function known.run(c)
  local one, self = needed(c)
  local found = preflight.check(self, one)
  tell(c, one, found)
  local blocking = preflight.blocking(found, c.opts.strict)
  if #blocking > 0 then
    errors.raise("invalid", ("%s cannot run: %s in its way"):format(one.id,
      words.count(#blocking, "finding stands", "findings stand")), { exit = 3 })
  end
  if one.mode == "manual" then return by_hand(c, one) end
  local run = require("orrery.face.cmd.run")
  local wf
  if one.mode == "skill" then
    wf = skill_workflow(self, one)
  else
    wf = load.file(self.book:find(one.workflow), { root = self.book.root, config = self.config,
      params = require("orrery.face.args").pairs(c.opts.param, "-p"), strict = c.opts.strict })
  end
  local options = run.options(c, {})
  options.config = self.config
  return (run.go(c, wf, options))
end

--- Does what its first word says.
---@param c table the invocation
---@return integer
function journey.main(c)
  return verbs.go(c, "journey", journey.usage, known)
end

return journey
