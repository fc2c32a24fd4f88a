-- The steps of a run as bytes, of which a later run in which little changed reads only the
-- steps it needs: each step's plain data, the files it rests on, and which steps come after
-- it. Numbers count from 1: steps in the order of their workflow, files as
-- core.plan counts them.
local pack = require("orrery.core.pack")
local json = require("orrery.core.json")

local graph = {}
local Graph = {}
Graph.__index = Graph

-- Fields that are told by others, or by nobody while running.
local skipped = { group = true, node = true, fields = true, env = true, implied = true,
  index = true, inputs = true, outputs = true }
local tables = { "implied", "input_names", "outputs", "output_names", "needs", "after" }

---------------------------------------------------------------------------
-- one step

local function is_plain(spec)
  for k, v in pairs(spec) do
    if v and k ~= "path" then return false end
  end
  return true
end

-- A path without marks is its text.
local function specs_in(list)
  if not list then return nil end
  local out = pack.array({})
  for i, spec in ipairs(list) do out[i] = is_plain(spec) and spec.path or spec end
  return out
end

local function specs_out(list)
  for i, spec in ipairs(list or {}) do
    if type(spec) == "string" then
      list[i] = { path = spec }
    end
  end
  return list
end

--- A step as bytes; nil when it holds what cannot be written down.
---@param step orrery.Step
---@param wf orrery.Workflow
---@return string?
function graph.pack_step(step, wf)
  local t = {}
  for k, v in pairs(step) do
    local empty = v == false or (type(v) == "table" and next(v) == nil)
    if not skipped[k] and not empty then t[k] = v end
  end
  t.kind = step.kind
  t.inputs, t.outputs = specs_in(step.inputs), specs_in(step.outputs)
  if step.tools and #step.tools == 0 then t.tools = pack.array({}) end
  if step.env ~= wf.env then t.own_env = step.env end
  local implied = {}
  for id in pairs(step.implied or {}) do implied[#implied + 1] = id end
  table.sort(implied)
  t.implied = implied
  local timeout = step.fields and step.fields.timeout
  t.fields = timeout and { timeout = timeout } or nil
  return pack.encode(t)
end

local function unpack_step(bytes, wf)
  local step = pack.decode(bytes)
  if type(step) ~= "table" then return nil end
  for _, name in ipairs(tables) do step[name] = step[name] or {} end
  local implied = {}
  for _, id in ipairs(step.implied) do implied[id] = true end
  step.implied = implied
  step.inputs, step.outputs = specs_out(step.inputs), specs_out(step.outputs)
  step.env, step.own_env = step.own_env or wf.env, nil
  step.fields = step.fields or {}
  step.group = wf.top
  return step
end

---------------------------------------------------------------------------
-- lists of numbers

local function numbers_in(list) return string.pack("<" .. ("I4"):rep(#list), table.unpack(list)) end

local function numbers_out(bytes)
  local out = {}
  for i = 1, #bytes, 4 do out[#out + 1] = string.unpack("<I4", bytes, i) end
  return out
end

-- Strings one after the other, and where each begins.
local function rows_in(rows)
  local ends, at = {}, 0
  for i, row in ipairs(rows) do
    at = at + #row
    ends[i] = string.pack("<I4", at)
  end
  return { ends = table.concat(ends), text = table.concat(rows) }
end

-- Tables of rows, of which a run reads few, in a text of their own: where each begins there.
local function apart(tables_of)
  local pieces, size, out = {}, 0, {}
  for name, rows in require("orrery.kernel.sorted").pairs(tables_of) do
    out[name] = { ends = rows.ends, at = size }
    pieces[#pieces + 1] = rows.text
    size = size + #rows.text
  end
  return out, table.concat(pieces)
end

-- Where a row lies: after `from`, up to `to`.
local function bounds(rows, i)
  return i > 1 and string.unpack("<I4", rows.ends, i * 4 - 7) or 0,
    (string.unpack("<I4", rows.ends, i * 4 - 3))
end

local function row(rows, i)
  local from, to = bounds(rows, i)
  return rows.text:sub(from + 1, to)
end

---------------------------------------------------------------------------
-- making

local function outs_of(steps, by_id)
  local outs = {}
  for i in ipairs(steps) do outs[i] = {} end
  for i, step in ipairs(steps) do
    for _, list in ipairs({ step.needs, step.after }) do
      for _, id in ipairs(list) do
        local up = by_id[id]
        if up and up ~= i then table.insert(outs[up], i) end
      end
    end
  end
  return outs
end

local function users_of(noted, count)
  local users = {}
  for i = 1, count do users[i] = {} end
  for i, one in ipairs(noted) do
    for _, f in ipairs(one.files) do
      local u = users[f]
      if u[#u] ~= i then u[#u + 1] = i end
    end
  end
  return users
end

local function comes_after(users, maker, outs)
  local after = { [maker] = true }
  for _, n in ipairs(outs[maker]) do after[n] = true end
  for _, n in ipairs(users) do
    if not after[n] then return false end
  end
  return true
end

-- The step that makes each file; 0 when none does, or another than those right after it rests
-- on the file, too: then it is no matter of that step alone.
local function makers_of(noted, users, outs)
  local makers = {}
  for i, one in ipairs(noted) do
    for _, f in ipairs(one.made or {}) do
      makers[f] = makers[f] == nil and comes_after(users[f], i, outs) and i or 0
    end
  end
  for f in ipairs(users) do makers[f] = makers[f] or 0 end
  return makers
end

local function all(list, fn)
  local out = {}
  for i, v in ipairs(list) do out[i] = fn(v) end
  return out
end

-- What is asked for by name is found as a line of text.
local function lines_of(map, by_id)
  local out = {}
  for path, id in require("orrery.kernel.sorted").pairs(map) do
    if path:find("[\n\t]") then return nil end
    out[#out + 1] = ("\n%s\t%d\t"):format(path, by_id[id] or 0)
  end
  return table.concat(out)
end

--- The graph of a workflow without inner groups; nil when it cannot be written down.
---@param wf orrery.Workflow
---@param steps orrery.Step[] those that are part of the run, in order
---@param noted table[] of each: files, the numbers it rests on; made, those of its outputs in
---  the order of its record; lock, its outputs' name
---@param count integer how many files have users
---@param owners table of keys.inputs
---@return string? bytes for graph.open
---@return string? apart what its `read` reads from
function graph.encode(wf, steps, noted, count, owners)
  local ids, by_id = {}, {}
  for i, step in ipairs(steps) do
    by_id[step.id] = i
    ids[i] = json.encode(step.id) .. ","
  end
  local written = lines_of(owners.files, by_id)
  if not written then return nil end
  local trees = {}
  for i, t in ipairs(owners.trees) do
    trees[i] = { prefix = t.prefix, id = t.id, glob = t.glob, excluded = t.excluded }
  end
  local bodies = rows_in(all(steps, function(s) return graph.pack_step(s, wf) or "" end))
  local users, outs = users_of(noted, count), outs_of(steps, by_id)
  local far, far_text = apart({ steps = bodies, users = rows_in(all(users, numbers_in)),
    outs = rows_in(all(outs, numbers_in)),
    files = rows_in(all(noted, function(s) return numbers_in(s.files) end)) })
  return pack.encode({ count = #steps, ids = rows_in(ids), written = written, trees = trees,
    far = far, makers = table.concat(all(makers_of(noted, users, outs), function(n)
      return string.pack("<I4", n)
    end)),
    made = rows_in(all(noted, function(s) return numbers_in(s.made or {}) end)),
    locks = rows_in(all(noted, function(s) return s.lock end)) }), far_text
end

---------------------------------------------------------------------------
-- reading

--- A graph from its bytes; nil when they are none.
---@param bytes string
---@param read fun(from: integer, to: integer): string? of what is apart, after `from`, up to `to`
---@return table?
function graph.open(bytes, read)
  local data = pack.decode(bytes)
  if type(data) ~= "table" or not data.count then return nil end
  return setmetatable({ data = data, read = read, known = {} }, Graph)
end

-- A row of what is apart; nil when it cannot be read.
local function far_row(self, name, i)
  local rows = self.data.far[name]
  local from, to = bounds(rows, i)
  return from == to and "" or self.read(rows.at + from, rows.at + to)
end

--- From now on steps are made, as those of a workflow.
---@param wf table env, top
function Graph:of(wf) self.wf = wf end

-- The ids in order, and their numbers.
local function numbers_of(self)
  local known = self.numbers
  if not known then
    local ids = json.decode("[" .. self.data.ids.text:sub(1, -2) .. "]")
    known = {}
    for i, id in ipairs(ids) do known[id] = i end
    self.numbers, self.ids = known, ids
  end
  return known
end

--- The number of a step; nil when there is none of that id.
---@param id string
---@return integer?
function Graph:number(id) return numbers_of(self)[id] end

--- A step by number, made once; nil when it could not be written down.
---@param n integer
---@return orrery.Step?
function Graph:step(n)
  local step = self.known[n]
  if step == nil then
    local bytes = far_row(self, "steps", n)
    step = bytes and bytes ~= "" and unpack_step(bytes, self.wf) or false
    if step then step.index = n end
    self.known[n] = step
  end
  return step or nil
end

--- The id of a step.
---@param n integer
---@return string
function Graph:id(n)
  numbers_of(self)
  return self.ids[n]
end

--- The step of which alone a file is; nil when it is not known to be one's.
---@param f integer
---@return integer? n
function Graph:maker(f)
  if f * 4 > #self.data.makers then return nil end
  local n = string.unpack("<I4", self.data.makers, f * 4 - 3)
  return n > 0 and n or nil
end

--- The files a step makes, in the order of its record.
---@param n integer
---@return integer[]
function Graph:made(n) return numbers_out(row(self.data.made, n)) end

--- The name of the lock of a step's outputs.
---@param n integer
---@return string
function Graph:lock(n) return row(self.data.locks, n) end

--- The files a step rests on.
---@param n integer
---@return integer[]
function Graph:files(n) return numbers_out(far_row(self, "files", n) or "") end

--- The step that declares a path as an output.
---@param path string
---@return string? id
function Graph:writer(path)
  local text = self.data.written
  local _, at = text:find("\n" .. path .. "\t", 1, true)
  local n = at and math.tointeger(tonumber(text:match("^%d+", at + 1)))
  return n and n > 0 and json.decode((row(self.data.ids, n):sub(1, -2))) or nil
end

--- Whose outputs are where, as keys.inputs asks for it.
---@return table
function Graph:owners()
  return { trees = self.data.trees, files = setmetatable({}, { __index = function(t, path)
    local id = self:writer(path) or false
    rawset(t, path, id)
    return id
  end }) }
end

--- The steps that rest on any of some files, and all that come after them, in order; nil
--- when a file is no step's, or what is kept cannot be read.
---@param files integer[]
---@return integer[]?
function Graph:touched(files)
  local seen, stack = {}, {}
  local function push(name, i)
    local bytes = far_row(self, name, i)
    for _, n in ipairs(numbers_out(bytes or "")) do
      if not seen[n] then
        seen[n] = true
        stack[#stack + 1] = n
      end
    end
    return bytes ~= nil
  end
  for _, f in ipairs(files) do
    if f * 4 > #self.data.far.users.ends or not push("users", f) then return nil end
  end
  while #stack > 0 do
    if not push("outs", table.remove(stack)) then return nil end
  end
  local list = {}
  for n in pairs(seen) do list[#list + 1] = n end
  table.sort(list)
  return list
end

--- The ids of all steps but some.
---@param except integer[] in order
---@return string json an array
---@return string[] ids
function Graph:ids_but(except)
  numbers_of(self)
  local rows, out, ids, from, last = self.data.ids, {}, {}, 1, 0
  for _, n in ipairs(except) do
    local begins, ends = bounds(rows, n)
    out[#out + 1] = rows.text:sub(from, begins)
    table.move(self.ids, last + 1, n - 1, #ids + 1, ids)
    from, last = ends + 1, n
  end
  out[#out + 1] = rows.text:sub(from)
  table.move(self.ids, last + 1, #self.ids, #ids + 1, ids)
  return "[" .. table.concat(out):sub(1, -2) .. "]", ids
end

return graph
