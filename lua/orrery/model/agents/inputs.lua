-- What stands in `inputs` and `outputs` of an agent step: a name, and a note in brackets.
--
--   X (from step N)   X (optional, from step N)   X (from step N, if available)
--   X (or Y from step N if file > 15KB)   X (optional)   X (any note)   X
local inputs = {}

---@class orrery.agents.Input
---@field name string       may hold dialect templates
---@field from? string      the step that makes it
---@field optional boolean
---@field note? string
---@field instead_of? string  it stands in for that input when it is there

local function trim(s) return (s:match("^%s*(.-)%s*$")) end

local function split_note(text)
  local name, note = text:match("^%s*(.-)%s*(%b())%s*$")
  if not name or name == "" then return trim(text) end
  return name, trim(note:sub(2, -2))
end

local optional_words = { optional = true, ["if available"] = true, ["if present"] = true,
  ["when available"] = true, ["if exists"] = true }

-- One clause of a note; returns the alternative it names, if any.
local function clause(word, into)
  local low = word:lower()
  local from = word:match("^[Ff]rom%s+[Ss]tep%s+(%S+)$")
  local other, step, rest = word:match("^[Oo]r%s+(%S+)%s+from%s+[Ss]tep%s+(%S+)%s*(.*)$")
  if from then
    into.from = from
  elseif other then
    return { name = other, from = step, optional = true, note = rest ~= "" and rest or nil,
      instead_of = into.name }
  elseif optional_words[low] then
    into.optional = true
  else
    into.note = into.note and into.note .. ", " .. word or word
  end
end

--- Reads one input: the input itself and, after it, what may stand in for it.
---@param text string
---@return orrery.agents.Input[]
---@usage inputs.read("a.json (optional, from step 1.5)")[1].from --> "1.5"
function inputs.read(text)
  local name, note = split_note(text)
  local out = { { name = name, optional = false } }
  for word in ((note or "") .. ","):gmatch("%s*(.-)%s*,") do
    if word ~= "" then out[#out + 1] = clause(word, out[1]) end
  end
  return out
end

---@class orrery.agents.Output
---@field name string
---@field kind "artifact"|"reasoning"|"directory"|"file"
---@field optional boolean
---@field note? string

local function has_ending(name)
  return name:gsub("{{.-}}", "x"):match("([^/]*)$"):find("%.[%w]+$") ~= nil
end

--- Reads one output. `label` is the key of the map form `reasoning: path`.
---@param text string
---@param label? string
---@return orrery.agents.Output
---@usage inputs.output("code-artifacts") --> { name = "code-artifacts", kind = "directory", … }
function inputs.output(text, label)
  local name, note = split_note(text)
  local kind = "artifact"
  if label == "reasoning" then
    kind = "reasoning"
  elseif name:sub(-1) == "/" or not has_ending(name) then
    kind = "directory"
  elseif name:find("/", 1, true) then
    kind = "file"
  end
  return { name = name:gsub("/+$", ""), kind = kind, note = note,
    optional = note ~= nil and note:lower():find("%f[%a]optional%f[%A]") ~= nil }
end

--- The primary artifact of a list of outputs: the first .json that is no reasoning.
---@param outputs { name: string, kind: string }[]
---@return integer?
function inputs.primary(outputs)
  for i, o in ipairs(outputs) do
    if o.kind ~= "reasoning" and o.name:find("%.json$") then return i end
  end
end

return inputs
