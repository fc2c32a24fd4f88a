-- What form an answer of a chat endpoint is to have, and how it becomes outputs and a value:
--
--   no outputs                    the text is the value; with `returns` it is JSON
--   one output that is a file     the text is the file
--   more, a directory, or an output beside `returns`
--                                 one JSON document { "files": { NAME: … }, "value": … }
--
-- Where a schema is known the endpoint is asked for JSON that fits it (response_format).
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local request = require("orrery.steps.agent.request")

local shape = {}

-- The schema of an output: of the request, or written into the workflow's gate itself.
local function schema_of(step, o)
  local given = step.gate and step.gate.schema and step.gate.schema[o.name]
  return request.schema(o.schema) or type(given) == "table" and given or nil
end

local function is_json(o) return o.path:find("%.json$") ~= nil end

-- References of a schema are to its own root; inside another one they would lead nowhere.
local function inner(schema)
  local text = schema and json.encode(schema, { lossy = true })
  if not text or text:find('"%$ref"') then return nil end
  local out = {}
  for k, v in pairs(schema) do
    if k ~= "$schema" and k ~= "$id" then out[k] = v end
  end
  return out
end

local function file_schema(o, schema)
  if o.kind == "directory" then
    return { type = "object", additionalProperties = { type = "string" } }
  end
  if is_json(o) then return inner(schema) or {} end
  return { type = "string" }
end

local function envelope(doc, schemas, returns)
  local props, needed = {}, {}
  for i, o in ipairs(doc.outputs) do
    props[o.name] = file_schema(o, schemas[i])
    if not o.optional then needed[#needed + 1] = o.name end
  end
  local out = { type = "object", required = { "files" }, properties = { files = {
    type = "object", properties = props, required = #needed > 0 and needed or nil } } }
  if returns ~= nil then
    out.properties.value = inner(returns) or {}
    out.required[2] = "value"
  end
  return out
end

--- The form for a request.
---@param step orrery.Step
---@param doc table the request
---@return { kind: "text"|"json"|"file"|"files", output?: table, schema?: table,
---  schemas: table, returns?: table }
function shape.of(step, doc)
  local schemas, returns = {}, doc.returns ~= nil and (request.schema(doc.returns) or {}) or nil
  for i, o in ipairs(doc.outputs) do schemas[i] = schema_of(step, o) or false end
  if #doc.outputs == 0 then
    return { kind = returns and "json" or "text", schema = returns, schemas = schemas,
      returns = returns }
  end
  local first = doc.outputs[1]
  if #doc.outputs == 1 and not returns and first.kind ~= "directory" then
    return { kind = "file", output = first, schemas = schemas,
      schema = is_json(first) and schemas[1] or nil }
  end
  return { kind = "files", schemas = schemas, returns = returns,
    schema = envelope(doc, schemas, returns) }
end

--- The response_format of the request body; nil where none helps. Endpoints want an object.
---@param form table from shape.of
---@return table?
function shape.format(form)
  local s = form.schema
  if not s or (s.type ~= "object" and not s.properties) then return nil end
  return { type = "json_schema", json_schema = { name = "answer", schema = s } }
end

---------------------------------------------------------------------------
-- answers

-- A text without the fence that many models put around JSON.
local function unfenced(text)
  local body = text:match("^%s*```[%w_%-]*[ \t]*\r?\n(.*)\n%s*```%s*$")
  return body or text
end

local function refuse(text)
  return { class = "outputs", message = text, feedback = { text } }
end

local function decoded(text)
  local v, why = json.decode(unfenced(text), { name = "the answer", last_wins = true })
  if v == nil and why then
    return nil, refuse("the answer is not JSON: " .. why.message)
  end
  return v
end

local function ended(text) return text:sub(-1) == "\n" and text or text .. "\n" end

local function write(root, path, text)
  local rel = path:sub(1, #root + 1) == root .. "/" and path:sub(#root + 2)
  if not rel then return refuse(path .. " is outside the project") end
  local ok, why = fs.safe_parent(root, rel)
  if ok then ok, why = fs.write_atomic(path, text) end
  if not ok then return { class = "outputs", message = why.message } end
end

local function text_of(o, v)
  if type(v) == "string" and not is_json(o) then return ended(v) end
  if type(v) == "string" then return ended(unfenced(v)) end
  if is_json(o) then return json.encode(v, { indent = 2 }) .. "\n" end
  return nil
end

local function write_directory(root, o, v)
  if type(v) ~= "table" then
    return refuse(("files['%s'] is a directory: write an object of path → text"):format(o.name))
  end
  for name, text in require("orrery.kernel.sorted").pairs(v) do
    if type(name) ~= "string" or type(text) ~= "string" or not fs.inside(name) then
      return refuse(("files['%s']: '%s' is no path of a text inside it"):format(o.name,
        tostring(name)))
    end
    local bad = write(root, o.path .. "/" .. name, ended(text))
    if bad then return bad end
  end
end

local function write_one(root, o, v)
  if o.kind == "directory" then return write_directory(root, o, v) end
  local text = text_of(o, v)
  if not text then
    return refuse(("files['%s'] must be the text of the file"):format(o.name))
  end
  return write(root, o.path, text)
end

local function write_all(root, doc, files)
  if type(files) ~= "table" then
    return refuse('the answer has no "files": { "files": { NAME: content } }')
  end
  for _, o in ipairs(doc.outputs) do
    local v = files[o.name]
    if v ~= nil and v ~= json.null then
      local bad = write_one(root, o, v)
      if bad then return bad end
    end
  end
end

--- Makes outputs and value of an answer's text.
---@param root string
---@param doc table the request
---@param form table from shape.of
---@param text string
---@return any value
---@return table? err class "outputs", with feedback
function shape.take(root, doc, form, text)
  if form.kind == "text" then return (text:gsub("%s+$", "")) end
  if form.kind == "file" then return nil, write_one(root, form.output, text) end
  local v, bad = decoded(text)
  if bad then return nil, bad end
  if form.kind == "json" then return v end
  if type(v) ~= "table" then return nil, refuse("the answer is no JSON object") end
  bad = write_all(root, doc, v.files)
  local value = v.value
  if value == json.null then value = nil end
  return value, bad
end

return shape
