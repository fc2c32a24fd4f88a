-- The secrets of a run: read when a step that uses one really runs, each source once, and
-- masked from then on in all that the run says and keeps. Before that a secret is a mark in
-- the environment of its step, whose name is in the key and whose value is not.
local command = require("orrery.steps.run")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local loop = require("orrery.kernel.loop")
local mask = require("orrery.run.secrets.mask")
local template = require("orrery.model.template")

local secrets = {}
local Secrets = {}
Secrets.__index = Secrets

-- No environment holds a zero byte, so no text of a user's can be taken for a mark.
local MARK = "\0secret:([%w_]+)\0"
-- A source that does not answer.
local PATIENCE = 60

--- The secrets of a run and of the workflows inside it.
---@return orrery.Secrets
function secrets.new()
  return setmetatable({ mask = mask.new(), read = {}, armed = {}, streams = {} }, Secrets)
end

--- What templates of `env` see: marks.
secrets.marks = setmetatable({}, { __index = function(_, name)
  return ("\0secret:%s\0"):format(name)
end })

--- What all other templates see: an error.
secrets.refusing = setmetatable({}, { __index = function(_, name)
  errors.raise("secret", ("secrets are used inside env only; write env = { %s = "
    .. "\"{{secrets.%s}}\" }"):format(name, name), { class = "secret" })
end })

-- What a workflow says about a secret, and the file that says so.
local function declared(run, name)
  local own = run.workflow.secrets and run.workflow.secrets[name]
  if own then return own, run.workflow.file or run.workflow.name end
  local shared = run.config and run.config.secrets and run.config.secrets[name]
  return shared or nil, "orrery.lua"
end

local function shown(file, root)
  return file:sub(1, #root + 1) == root .. "/" and file:sub(#root + 2) or file
end

--- Where a secret is from, in words: "env TOKEN", "file .token", "run pass show x".
---@param spec table
---@return string
function secrets.source(spec)
  if spec.env then return "env " .. spec.env end
  if spec.file then return "file " .. spec.file end
  return "run " .. (type(spec.run) == "table" and table.concat(spec.run, " ") or spec.run)
end

local function refuse(run, name, spec, file, why, hint)
  errors.raise("secret", ("secret %s %s; %s has it from %s"):format(name, why,
    shown(file, run.root), secrets.source(spec)), { class = "secret", hint = hint })
end

---------------------------------------------------------------------------
-- reading

local from = {}

function from.env(run, name) return run.process_env[name], "is not set" end

function from.file(run, path)
  path = template.render(path, { params = run.values }, "text")
  local text, why = fs.read(fs.at(run.root, path), 1 << 20)
  return text, text == nil and "cannot be read: " .. errors.text(why) or nil
end

function from.run(run, cmd)
  local argv = command.command({ action = cmd }, { params = run.values, env = run.process_env })
  local e, why = loop.child({ argv = argv, cwd = run.root, output = "capture",
    timeout = PATIENCE })
  if not e then return nil, "cannot be got: " .. errors.text(why) end
  if e.timed_out then return nil, ("did not come within %d s"):format(PATIENCE) end
  if e.code ~= 0 then
    local said = (e.stderr or ""):match("[^\n]+")
    return nil, ("cannot be got: exit %d%s"):format(e.code, said and ": " .. said:sub(1, 200) or "")
  end
  return e.stdout
end

local function bad(value)
  if value == "" then return "is empty" end
  if value:find("\0", 1, true) then return "has a zero byte in it" end
  if #value < mask.SHORTEST then
    return ("is too short to be masked (%d characters, at least %d)"):format(#value, mask.SHORTEST)
  end
end

-- One source, once a run; others wait for it. Suspends for commands.
local function fetch(self, run, spec)
  local kind = spec.env and "env" or spec.file and "file" or "run"
  local id = kind .. "\0" .. hash.sha256(require("orrery.core.pack").encode(spec[kind]))
    .. (kind == "file" and template.render(spec.file, { params = run.values }, "text") or "")
  local known = self.read[id]
  if known and known.pending then loop.await(known.pending) end
  known = self.read[id]
  if known then return known.value, known.why end
  local pending = kind == "run" and loop.signal()
  if pending then self.read[id] = { pending = pending } end
  local ok, value, why = pcall(from[kind], run, spec[kind])
  if not ok or not value then
    self.read[id] = nil
    if pending then pending:set(true) end
    if not ok then error(value, 0) end
    return nil, why
  end
  value = value:gsub("[\r\n]+$", "")
  why = bad(value)
  self.read[id] = { value = not why and value or nil, why = why }
  if not why then self.mask:add(value) end
  if pending then pending:set(true) end
  return self.read[id].value, why
end

--- The value of a secret. In a task. Raises code "secret" when there is none that will do.
---@param run orrery.Run
---@param name string
---@return string
function Secrets:get(run, name)
  local spec, file = declared(run, name)
  if not spec then
    errors.raise("secret", ("there is no secret '%s'; add secrets = { \"%s\" } to the workflow")
      :format(name, name), { class = "secret" })
  end
  local value, why = fetch(self, run, spec)
  if value then return value end
  refuse(run, name, spec, file, why, spec.env and "set " .. spec.env
    .. ", or say where it is: { file = … } or { run = … }" or nil)
end

-- Variables that hold a declared secret are masked also where a step simply inherits them.
local function arm(self, run)
  local wf = run.workflow
  if self.armed[wf] then return end
  self.armed[wf] = true
  for _, specs in ipairs({ wf.secrets or {}, run.config and run.config.secrets or {} }) do
    for _, spec in pairs(specs) do
      local value = spec.env and run.process_env[spec.env]
      if value and not bad(value) then self.mask:add(value) end
    end
  end
end

-- A text with values for marks. They are got first: a command is waited for.
local function filled(self, run, text)
  local values = {}
  for name in text:gmatch(MARK) do values[name] = values[name] or self:get(run, name) end
  return (text:gsub(MARK, values))
end

--- Puts the values into the environment of a step that is about to run. In a task. Raises
--- code "secret".
---@param run orrery.Run
---@param job table
function Secrets:fill(run, job)
  arm(self, run)
  if job.hidden then
    local vars, list = {}, {}
    for k, v in pairs(job.vars) do vars[k] = v end
    for k, text in pairs(job.hidden) do vars[k] = filled(self, run, text) end
    for k, v in pairs(vars) do list[#list + 1] = k .. "=" .. v end
    table.sort(list)
    job.vars, job.env, job.ctx.env, job.hidden = vars, list, vars, nil
  end
  if not self.mask:empty() then
    run.journal:hide(function(v) return self.mask:value(v) end)
  end
end

--- From now on a text is masked like a secret: a key that a step kind reads itself.
---@param run orrery.Run
---@param value string
function Secrets:hide(run, value)
  self.mask:add(value)
  if not self.mask:empty() then
    run.journal:hide(function(v) return self.mask:value(v) end)
  end
end

--- A rendered text as keys and people know it: names for marks, and the digest of a secret
--- that is to be in the key.
---@param run orrery.Run
---@param text string
---@return string
function Secrets:known_as(run, text)
  return (text:gsub(MARK, function(name)
    local spec = declared(run, name)
    local digest = spec and spec.key and " sha256:" .. hash.sha256(self:get(run, name)) or ""
    return ("{{secrets.%s}}%s"):format(name, digest)
  end))
end

--- Is this variable where a declared secret comes from? Then no record keeps its value.
---@param run orrery.Run
---@param name string
---@return boolean
function Secrets.is_source(_, run, name)
  for _, specs in ipairs({ run.workflow.secrets or {}, run.config and run.config.secrets or {} }) do
    for _, spec in pairs(specs) do
      if spec.env == name then return true end
    end
  end
  return false
end

---------------------------------------------------------------------------
-- masking

local TEXTS = { "stdout", "stderr" }
local VALUES = { "value", "error", "note", "asks", "signal" }

--- Masks what a step came to, before anything looks at it or keeps it.
---@param came table
function Secrets:clean(came)
  if self.mask:empty() then return end
  for _, name in ipairs(TEXTS) do
    if came[name] then came[name] = self.mask:text(came[name], came.truncated) end
  end
  for _, name in ipairs(VALUES) do
    if came[name] ~= nil then came[name] = self.mask:value(came[name]) end
  end
end

--- A piece of live output as it may be shown now.
---@param id string
---@param stream integer
---@param data string
---@return string
function Secrets:live(id, stream, data)
  if self.mask:empty() then return data end
  local key = id .. "\0" .. stream
  self.streams[key] = self.streams[key] or self.mask:stream()
  return self.streams[key]:take(data)
end

--- What was held back of a step's live output, now that it has ended.
---@param id string
---@param show fun(stream: integer, data: string)
function Secrets:finish(id, show)
  for stream = 1, 2 do
    local key = id .. "\0" .. stream
    local s = self.streams[key]
    self.streams[key] = nil
    local rest = s and s:finish() or ""
    if rest ~= "" then show(stream, rest) end
  end
end

return secrets
