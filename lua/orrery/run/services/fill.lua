-- Ports of services in what a step is given. A key must not know them, so templates give
-- "{{services.ID.port}}" as text; when the step really runs, the numbers are put in.
local fill = {}

--- What stands for the port of a service until it is known.
---@param id string with its prefix
---@return string
function fill.port_of(id) return ("{{services.%s.port}}"):format(id) end

local PLACE = "{{services%.([^{}]-)%.port}}"

local function in_text(text, port)
  if not text:find("{{", 1, true) then return text end
  local whole = text:match("^" .. PLACE .. "$")
  if text == "{{port}}" then whole = "" end
  if whole and port(whole) then return port(whole) end
  -- A shell word of its own needs no quotes any more.
  local function number(id) return port(id) and tostring(port(id)) end
  text = text:gsub("'" .. PLACE .. "'", number):gsub(PLACE, number)
  local own = number("")
  if own then text = text:gsub("'{{port}}'", own):gsub("{{port}}", own) end
  return text
end

--- Puts ports into every string of a plain value. What holds none comes back as it is.
---@param v any
---@param port fun(id: string): integer? the service's own for ""
---@param depth? integer
---@return any
function fill.value(v, port, depth)
  if type(v) == "string" then return in_text(v, port) end
  depth = depth or 0
  if type(v) ~= "table" or depth > 20 then return v end
  local out
  for k, item in next, v do
    local new = fill.value(item, port, depth + 1)
    if new ~= item then
      out = out or setmetatable(table.move(v, 1, 0, 1, {}), getmetatable(v))
      out[k] = new
    end
  end
  if not out then return v end
  for k, item in next, v do
    if out[k] == nil then out[k] = item end
  end
  return out
end

-- Words of a command line are text.
local function words(list, port)
  if not list then return nil end
  local out = {}
  for i, w in ipairs(list) do
    local v = fill.value(w, port)
    out[i] = type(v) == "number" and tostring(v) or v
  end
  return out
end

--- A service whose port is still asked for in a command line or an environment: it is not
--- part of the run.
---@param job table filled
---@return string? id
function fill.missing(job)
  for _, list in ipairs({ job.prepared.argv or {}, job.env or {} }) do
    for _, word in ipairs(list) do
      local id = type(word) == "string" and word:match(PLACE)
      if id then return id end
    end
  end
end

local PARTS = { "with", "item", "matrix", "params" }

--- Puts ports into a job that is about to run.
---@param job table
---@param list orrery.Service[] those it uses, up
---@param prefix string of the run's ids
---@param own? integer a service's own port
function fill.job(job, list, prefix, own)
  local ports, seen = {}, {}
  for _, s in ipairs(list) do
    ports[s.id] = s.port
    local id = s.id:sub(1, #prefix) == prefix and s.id:sub(#prefix + 1) or s.id
    seen[id] = { port = s.port }
  end
  ports[""] = own
  local function port(id) return ports[id] end
  local p = job.prepared
  local argv, asks = words(p.argv, port), words(p.asks, port)
  job.prepared = fill.value(p, port)
  job.prepared.argv, job.prepared.asks = argv, asks
  if p.shown then job.prepared.shown = tostring(fill.value(p.shown, port)) end
  job.env = words(job.env, port)
  job.vars = fill.value(job.vars, port)
  local ctx = setmetatable({ env = job.vars, services = seen, port = own }, getmetatable(job.ctx))
  for k, v in next, job.ctx do
    if rawget(ctx, k) == nil then ctx[k] = v end
  end
  for _, name in ipairs(PARTS) do ctx[name] = fill.value(rawget(job.ctx, name), port) end
  job.ctx = ctx
end

return fill
