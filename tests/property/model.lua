-- What a graph must come to, told without running it: an interpreter of the words of mix.c
-- and of the functions of text.lua over a table of files.
local sum = require("tests.property.sum")
local text = require("tests.property.text")

local fold, mod = sum.fold, sum.mod

local model = {}

local function dirname(path) return path:match("^(.*)/") or "." end

local function basename(path) return path:match("[^/]*$") end

local function join(dir, rel)
  local out = {}
  for part in (dir .. "/" .. rel):gmatch("[^/]+") do
    if part == ".." then out[#out] = nil elseif part ~= "." then out[#out + 1] = part end
  end
  return table.concat(out, "/")
end

-- A file's { text, exec } with links followed, or nil.
local function resolve(files, path)
  local f = files[path]
  for _ = 1, 8 do
    if not f or not f.link then return f end
    path = join(dirname(path), f.link)
    f = files[path]
  end
end

local function read(h, files, path, plain)
  local f = resolve(files, path)
  if not f then return fold(h, "a", "") end
  return fold(h, f.exec and not plain and "x" or "f", f.text)
end

-- Paths below a directory, in the order in which mix walks: by name at each level.
local function below(files, dir)
  local out = {}
  for path in pairs(files) do
    if path:sub(1, #dir + 1) == dir .. "/" then out[#out + 1] = path:sub(#dir + 2) end
  end
  table.sort(out, function(a, b) return a:gsub("/", "\0") < b:gsub("/", "\0") end)
  return out
end

local function read_tree(h, files, arg, how)
  local dir, tail = arg:match("^(.*):(.*)$")
  for _, rel in ipairs(below(files, dir)) do
    if rel:sub(-#tail) == tail or tail == "" then
      h = (how or read)(fold(h, "p", rel), files, dir .. "/" .. rel)
    end
  end
  return h
end

-- The files of a directory whose names begin so.
local function read_prefix(h, files, prefix)
  local list, dir = {}, dirname(prefix)
  for path in pairs(files) do
    if path:sub(1, #prefix) == prefix and not path:find("/", #dir + 2, true) then list[#list + 1] = path end
  end
  table.sort(list)
  for _, path in ipairs(list) do h = read(fold(h, "p", basename(path)), files, path) end
  return h
end

-- An input that is a link, also one to nowhere, is another fact than the file it leads to.
local function fact(h, files, path)
  local f = files[path]
  return fold(read(h, files, path), "l", f and f.link or "")
end

local function read_includes(h, files, path, seen)
  if seen[path] then return h end
  seen[path] = true
  h = read(h, files, path)
  local f = resolve(files, path)
  for name in (f and "\n" .. f.text or ""):gmatch("\n@([^\n]*)") do
    h = read_includes(h, files, dirname(path) .. "/" .. name, seen)
  end
  return h
end

-- The directories of the source tree stay, also when they are empty.
local STAYS = { ["src/sub"] = "in" }

local function names(h, files, dir)
  local seen, list = {}, { STAYS[dir] }
  if list[1] then seen[list[1]] = true end
  for _, rel in ipairs(below(files, dir)) do
    local name = rel:match("^[^/]*")
    if not seen[name] then list[#list + 1] = name end
    seen[name] = true
  end
  table.sort(list)
  for _, name in ipairs(list) do h = fold(h, "p", name) end
  return h
end

local function glob(h, files, pattern, how)
  local dir, what = pattern:match("^(.-)/(%*.*)$")
  local list = {}
  for _, rel in ipairs(below(files, dir)) do
    if what == "**" or (not rel:find("/") and rel:match("%.c$")) then
      list[#list + 1] = dir .. "/" .. rel
    end
  end
  table.sort(list)
  for _, path in ipairs(list) do h = (how or read)(fold(h, "p", path), files, path, true) end
  return h
end

-- What a normalised value counts as.
local function normal(v) return v < "8" and "0" or "8" end

-- One word that reads. A function's sum is of what it uses; its environment is the process's.
local function word(state, h, step, r, item)
  local verb, arg = r[1], r[2]
  local files, call = state.files, step.kind == "call"
  if verb == "tag" then return fold(h, "t", arg) end
  if verb == "in" then return read(h, files, arg, call) end
  if verb == "tree" then return read_tree(h, files, arg) end
  if verb == "pre" then return read_prefix(h, files, arg) end
  if verb == "inc" then return read_includes(h, files, arg, state.deps) end
  if verb == "rl" then
    local f = files[arg]
    return fold(h, f and f.link and "l" or "a", f and f.link or "")
  end
  if verb == "env" then
    local v = state.env[arg] or not call and state.dotenv[arg] or nil
    return fold(fold(h, "e", arg), v and "v" or "u", v or "")
  end
  if verb == "param" then return fold(h, "t", state.params[arg]) end
  if verb == "item" then return fold(h, "t", item) end
  if verb == "names" then return names(h, files, arg) end
  if verb == "glob" then return glob(h, files, arg) end
  local v = state.steps[arg].value
  return fold(h, "t", call and r[4] and normal(v) or v)
end

local function number(h, path) return sum.hex(fold(h, "o", basename(path))) .. "\n" end

local write = {}

function write.out(h, path, put) put(path, { text = number(h, path) }) end

function write.xout(h, path, put) put(path, { text = number(h, path), exec = true }) end

-- Its bytes are always the same, its mode is not.
function write.mout(h, path, put) put(path, { text = "m\n", exec = h & 1 == 1 or nil }) end

function write.big(h, path, put) put(path, { text = number(h, path):rep(1500) }) end

function write.cut(h, path, put) put(path, { text = mod(h, 3) .. "\n" }) end

function write.link(h, path, put) put(path, { link = "to-" .. mod(h, 4) }) end

function write.dirout(h, path, put)
  for i = 0, 3 do
    if h >> (7 + i) & 1 == 1 then
      local p = ("%s/n%d"):format(path, i)
      put(p, { text = number(h, p) })
    end
  end
  put(path .. "/sub/all", { text = number(h, path .. "/sub/all") })
end

function write.gout(h, path, put)
  for i = 0, 3 do
    local p = ("%sn%d"):format(path, i)
    if i == 3 or h >> (7 + i) & 1 == 1 then put(p, { text = number(h, p) }) end
  end
end

function write.upper(_, path, put, files)
  if files[path] then put(path, { text = files[path].text:upper(), exec = files[path].exec }) end
end

function write.dep() end

local function lines(h)
  local out = {}
  for i = 0, mod(h, 3) do out[i + 1] = ("v%d"):format((h >> (8 + 2 * i) & 3) + 4 * i) end
  return table.concat(out, ",")
end

local function passes(state, when)
  if not when then return true end
  if when[1] == "exists" then return resolve(state.files, when[2]) ~= nil end
  if when[1] == "param" then return state.params[when[2]] == when[3] end
  return (state.env[when[2]] or state.dotenv[when[2]]) == when[3]
end

-- Is something it needs not there because a step failed?
local function blocked(state, step)
  for _, id in ipairs(text.blockers(step)) do
    if state.steps[id] and state.steps[id].status ~= "ok" then return true end
  end
  return false
end

local function sorted(set)
  local out = {}
  for k in pairs(set) do out[#out + 1] = k end
  table.sort(out)
  return out
end

-- What a step counts as for those that need it.
local function came_to(one)
  local step = one.step
  if step.fan or #step.writes > 0 or not one.value then return tostring(one.sum) end
  return step.normalize and normal(one.value) or one.value
end

-- What a step reads counts as its sum, but a value that a function reads as what it counts as.
local function read_sum(state, step, item)
  if step.kind ~= "call" then return nil end
  local h = sum.SEED
  for _, r in ipairs(step.reads) do
    if r[1] ~= "val" then
      h = word(state, h, step, r, item)
    elseif #state.steps[r[2]].step.writes > 0 then
      h = fold(h, "n", state.steps[r[2]].value)
    end
  end
  return h
end

-- What else is in a key: what is declared, and what needed steps came to.
local function signature(state, step, h, item)
  h = read_sum(state, step, item) or h
  local s = fold(h, "s", text.fields(step) .. (item or ""))
  if step.extra then
    local dir = step.extra:match("^(.*)/") or "src"
    s = read_tree(fact(s, state.files, "src/a"), state.files, dir .. ":", fact)
  end
  for _, id in ipairs(text.needs(step)) do s = fold(s, "n", came_to(state.steps[id])) end
  for _, r in ipairs(step.reads) do
    if step.kind == "call" and r[1] == "env" then s = fold(s, "e", state.dotenv[r[2]] or "") end
    if r[1] == "in" then s = fact(s, state.files, r[2]) end
    if r[1] == "tree" then s = read_tree(s, state.files, r[2], fact) end
    if r[1] == "glob" then s = glob(s, state.files, r[2], fact) end
  end
  for _, path in ipairs(sorted(state.deps)) do s = fact(s, state.files, path) end
  for _, r in ipairs(step.writes) do
    if r[1] == "upper" then s = read(s, state.files, r[2]) end
  end
  return s
end

-- Of a directory among the outputs, or a glob, all that lies there counts, also what people put.
local function enter(state, prefix, step)
  state.dirs[prefix] = step.id
  for path, f in pairs(state.guests) do
    if path:sub(1, #prefix) == prefix and not state.made[path] then state.files[path] = f end
  end
end

-- One instance of a step: a member of a fan-out has an item.
local function instance(state, step, item)
  local h = sum.SEED
  state.deps = {}
  for _, r in ipairs(step.reads) do h = word(state, h, step, r, item) end
  local one = { status = "ok", sum = h, sig = signature(state, step, h, item), step = step }
  if step.fail and mod(h, step.fail) == 0 then
    one.status = "failed"
    return one
  end
  for _, w in ipairs(step.writes) do
    local path = item and w[2]:gsub("{{item}}", item) or w[2]
    write[w[1]](h, path, function(p, f)
      state.made[p] = f
      f.temp, f.step = step.temp, step.id
    end, state.files)
    if w[1] == "dirout" then enter(state, path .. "/", step) end
    if w[1] == "gout" then enter(state, path, step) end
  end
  if step.kind == "call" or step.parse then
    one.value = step.parse == "lines" and lines(h) or sum.hex(h)
  end
  if step.gate and one.value:find("^[" .. step.gate .. "]") then
    one.status, one.refused, one.value = "failed", true, nil
  end
  return one
end

-- The items of a fan and the labels of its members.
local function items_of(state, fan)
  local out = {}
  if fan.kind == "late" then
    for v in state.steps[fan.from].value:gmatch("[^,]+") do out[#out + 1] = { v, v } end
  elseif fan.kind == "two" then
    for _, k in ipairs(fan.values) do
      for _, j in ipairs({ "m", "n" }) do out[#out + 1] = { k .. j, j .. "," .. k } end
    end
  else
    for _, v in ipairs(fan.values) do out[#out + 1] = { v, v } end
  end
  return out
end

local function members(state, step, prefix)
  local all = { status = "ok", sum = sum.SEED }
  for _, item in ipairs(items_of(state, step.fan)) do
    local one = instance(state, step, item[1])
    if one.status ~= "ok" then all.status, all.refused = "failed", one.refused end
    all.sum = all.sum ~ one.sum
    state.units[("%s%s[%s]"):format(prefix, step.id, item[2])] = one
  end
  return all
end

local function each(state, steps, prefix)
  for _, step in ipairs(steps) do
    local one
    if blocked(state, step) then
      one = { status = "blocked" }
    elseif not passes(state, step.when) then
      one = { status = "skipped" }
    elseif step.fan then
      one = members(state, step, prefix)
    else
      one = instance(state, step)
    end
    one.step = step
    if not step.fan then state.units[prefix .. step.id] = one end
    state.steps[step.id] = one
    -- what it made is there for the next ones
    for path, f in pairs(state.made) do state.files[path] = f end
  end
end

local function dotenv_of(files)
  local out = {}
  for name, v in (files[".env"] and files[".env"].text or ""):gmatch("([%w_]+)=([^\n]*)") do
    out[name] = v
  end
  return out
end

--- Tells what a run must leave.
---@param g table the graph
---@param files table<string, { text?: string, exec?: boolean, link?: string }> the sources
---@param env table<string, string>
---@param params table<string, string>
---@param guests table<string, table> files among the outputs that no step made
---@return { made: table, dirs: table, units: table, failed: boolean, refused: boolean } made: path →
---  file; dirs: how paths begin that belong to a step; units: by id in the journal { status, sig }
function model.tell(g, files, env, params, guests)
  local state = { files = {}, made = {}, dirs = {}, units = {}, steps = {}, env = env,
    params = params, guests = guests, dotenv = g.dotenv and dotenv_of(files) or {} }
  for path, f in pairs(files) do state.files[path] = f end
  each(state, g.steps, "")
  if g.inner and #g.inner > 0 then
    state.params = { p = params.q, q = "x" }
    each(state, g.inner, "sub/")
  end
  for _, one in pairs(state.units) do
    state.failed = state.failed or one.status == "failed"
    state.refused = state.refused or one.refused
  end
  return state
end

return model
