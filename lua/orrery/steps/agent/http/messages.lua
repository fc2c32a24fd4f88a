-- A request as the messages of a chat: who the agent is, its rules and the form of its answer
-- go into the system message; the task, its inputs' contents and what earlier attempts were
-- told into the user's.
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")

local messages = {}

local function size(n)
  return n < 1024 and ("%d bytes"):format(n) or ("%.1f KiB"):format(n / 1024)
end

-- At most `most` bytes of a text, at the end of a character.
local function cut(text, most)
  if #text <= most then return text end
  local at = most
  while at > 0 and (text:byte(at + 1) & 0xC0) == 0x80 do at = at - 1 end
  return text:sub(1, at)
end

local function shown(name, text, most)
  if not utf8.len(text) then
    return ('<input name="%s">\n(not text, %s; not shown)\n</input>'):format(name, size(#text)), 0
  end
  local part = cut(text, most)
  local note = #part < #text
    and ("\n(cut: the first %s of %s)"):format(size(#part), size(#text)) or ""
  return ('<input name="%s">\n%s%s\n</input>'):format(name, part, note), #part
end

-- The files of one input; a directory has several.
local function files_of(one)
  local st = type(one.path) == "string" and fs.stat(one.path)
  if not st then return {} end
  if st.type ~= "dir" then return { { one.name, one.path } } end
  local out = {}
  for i, rel in ipairs(fs.glob({ "**" }, { root = one.path, ignore = false }) or {}) do
    out[i] = { one.name .. "/" .. rel, one.path .. "/" .. rel }
  end
  return out
end

-- Inputs in order; what one leaves of its share is the others'.
local function inputs_of(doc, most)
  local list, out = {}, {}
  for _, one in ipairs(doc.inputs) do
    local files = files_of(one)
    table.move(files, 1, #files, #list + 1, list)
    if #files == 0 and one.missing and not one.optional then
      out[#out + 1] = ('<input name="%s">\n(it is missing)\n</input>'):format(one.name)
    end
  end
  for i, f in ipairs(list) do
    local text, used = shown(f[1], fs.read(f[2]) or "", most // (#list - i + 1))
    out[#out + 1], most = text, most - used
  end
  return out
end

local function rules_of(doc, most)
  local out = {}
  for i, path in ipairs(doc.rules) do
    local part = cut(fs.read(path) or "", most // (#doc.rules - i + 1))
    out[i], most = part, most - #part
  end
  return #out > 0 and "Follow these rules:\n\n" .. table.concat(out, "\n\n") or nil
end

local function as_json(v) return json.encode(v, { indent = 2, lossy = true }) end

local contracts = {}

function contracts.text() return "Your answer is the result: write nothing but it." end

function contracts.json(form)
  return "Answer with JSON alone, no words around it." .. (next(form.returns)
    and " It must fit this schema:\n" .. as_json(form.returns) or "")
end

function contracts.file(form)
  local o = form.output
  return ("Your answer is written to the file %s as it is: write its content and nothing else.%s")
    :format(o.name, form.schema and " It must fit this schema:\n" .. as_json(form.schema) or "")
end

function contracts.files(form, doc)
  local lines = { 'Answer with one JSON object and nothing else: { "files": { NAME: content }'
    .. (form.returns and ', "value": your result }' or " }") .. ". The files:" }
  for i, o in ipairs(doc.outputs) do
    local what = o.kind == "directory" and "a directory: an object of path to text"
      or o.path:find("%.json$") and "JSON" or "a text"
    lines[#lines + 1] = ("- %s: %s%s%s"):format(o.name, what, o.optional and ", optional" or "",
      form.schemas[i] and ". Its schema:\n" .. as_json(form.schemas[i]) or "")
  end
  if form.returns then lines[#lines + 1] = '"value" fits:\n' .. as_json(form.returns) end
  return table.concat(lines, "\n")
end

local function system_of(doc, form, http)
  local parts = { http.system or ("You are %s, working on the step %s of the workflow %s.")
    :format(doc.role, doc.step, doc.workflow) }
  parts[#parts + 1] = rules_of(doc, http.max_input)
  parts[#parts + 1] = contracts[form.kind](form, doc)
  return table.concat(parts, "\n\n")
end

local function gate_of(g)
  local out = {}
  if g.minimum_score then
    out[1] = ("A score of at least %s is needed; write it as overall_score."):format(
      g.minimum_score)
  end
  local rubric = g.rubric and fs.read(g.rubric)
  if rubric then out[#out + 1] = "The rubric:\n" .. rubric end
  if g.checks then out[#out + 1] = "It is checked for: " .. table.concat(g.checks, ", ") end
  return table.concat(out, "\n")
end

local function user_of(doc, http)
  local parts = {}
  local function add(text)
    if text and text ~= "" then parts[#parts + 1] = text end
  end
  add(doc.prompt)
  if doc.with then add("With:\n" .. as_json(doc.with)) end
  if next(doc.params) then add("Parameters:\n" .. as_json(doc.params)) end
  if doc.gate then add(gate_of(doc.gate)) end
  for _, text in ipairs(inputs_of(doc, http.max_input)) do add(text) end
  if #doc.feedback > 0 then
    add("An earlier attempt was refused. Mend this:\n- " .. table.concat(doc.feedback, "\n- "))
  end
  return #parts > 0 and table.concat(parts, "\n\n") or doc.step
end

--- The messages for a request.
---@param doc table steps.agent.request
---@param form table from http.shape
---@param http table the executor's http
---@return table[]
function messages.of(doc, form, http)
  return pack.array({ { role = "system", content = system_of(doc, form, http) },
    { role = "user", content = user_of(doc, http) } })
end

return messages
