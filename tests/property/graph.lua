-- Random workflows as plain data, from which text.lua writes the files and model.lua tells
-- what they must make.
--
--   graph = { form, params, dotenv, sources = { path → { text, exec?, link? } }, steps, inner }
--   step  = { id, kind = "run"|"call", shape, reads = { { word, … } }, writes = { { word, path } },
--             parse?, normalize?, needs?, after?, cwd?, temp?, cache?, ttl?, when?, fan?, group?,
--             fail?, extra?, gate? }
-- A read is hidden = STEP when it is declared by needs = STEP alone, and tool = NAME when that
-- is declared by tools. A fan is matrix or for_each over values, "two" over two lists, or
-- "late" over the lines of the step `from`. A gate refuses values that begin with certain digits.
-- A word is one of mix.c; also { "param", NAME }, { "val", STEP }, { "item" }, and for
-- functions { "names", DIR } and { "glob", PATTERN }.
local graph = {}

local NAMES = { "a", "b", "c", "d.c", "e.c" }
local DEEP = { "sub/1", "sub/2", "sub/in/3.c" }

local function chance(n) return math.random(n) == 1 end

local function pick(list) return list[math.random(#list)] end

graph.pick, graph.chance = pick, chance

--- A random text of a file: short words, so that the same ones come back.
---@return string
function graph.words()
  local lines = { pick({ "x", "y", "z", "xx", "" }) .. pick({ "1", "2", "" }) }
  if chance(3) then lines[2] = "@" .. pick(NAMES) end
  if chance(6) then lines[#lines + 1] = "@nothing" end
  return table.concat(lines, "\n") .. "\n"
end

--- All paths that files of the source tree have or may get.
---@return string[]
function graph.paths()
  local out = {}
  for _, name in ipairs(NAMES) do out[#out + 1] = "src/" .. name end
  for _, name in ipairs(DEEP) do out[#out + 1] = "src/" .. name end
  for _, name in ipairs({ "nothing", "new.c", "sub/new.c" }) do out[#out + 1] = "src/" .. name end
  return out
end

local function sources()
  local out = {}
  for i, path in ipairs(graph.paths()) do
    if i <= #NAMES + #DEEP then out[path] = { text = graph.words(), exec = chance(8) or nil } end
  end
  if chance(3) then out["src/" .. pick(NAMES)] = { link = pick({ "a", "b", "sub/1", "gone" }) } end
  for _, name in ipairs({ "tool", "knife" }) do out["bin/" .. name] = { text = "#!1\n", exec = true } end
  if chance(3) then out[".env"] = { text = "V3=one\n" } end
  return out
end

-- What a step may read: a source, or what an earlier step made.
local function read_made(known, kind)
  local one = pick(known)
  if one.word == "val" then return { "val", one.step, one.parse, one.normal } end
  if kind == "call" then return { "in", one.path } end
  local hidden = chance(3) and one.step or nil
  if one.word == "link" then return { "rl", one.path, hidden = hidden } end
  if one.word == "mout" then return { "in", one.path, hidden = hidden } end
  if one.word == "gout" then return { "pre", one.path, hidden = hidden } end
  if one.word == "dirout" then return { "tree", one.path .. ":" } end
  return { "in", one.path }
end

local function read_source(kind)
  if kind == "run" and chance(9) then
    local name = pick({ "tool", "tool", "knife" })
    return { "in", "bin/" .. name, tool = name }
  end
  local n = math.random(kind == "call" and 9 or 10)
  if n <= 4 then return { "in", "src/" .. pick(NAMES) } end
  if n == 5 then return { "in", pick({ "src/sub/1", "src/nothing" }) } end
  if n == 6 then return { "env", pick({ "V1", "V2", "V3" }) } end
  if n == 7 then return { "param", pick({ "p", "q" }) } end
  if kind == "call" then
    return pick({ { "names", "src/sub" }, { "glob", "src/*.c" }, { "glob", "src/sub/**" } })
  end
  if n == 8 then return { "tree", pick({ "src:.c", "src/sub:" }) } end
  return { "inc", "src/" .. pick(NAMES) }
end

local function reads_of(known, kind)
  local out = { { "tag", pick({ "t", "u" }) } }
  for _ = 1, math.random(3) do
    local made = #known > 0 and chance(2)
    out[#out + 1] = made and read_made(known, kind) or read_source(kind)
  end
  return out
end

local function reads_any(step, word)
  for _, r in ipairs(step.reads) do
    if r[1] == word then return true end
  end
  return false
end

local FILES = { "out", "out", "xout", "mout", "mout", "cut", "big" }

local function writes_of(id, step)
  local out = {}
  for i = 1, math.random(2) do
    local n = math.random(8)
    local path = ("out/%s/%d"):format(id, i)
    if n == 1 then
      out[i] = { "link", path }
    elseif n == 2 then
      out[i] = { "dirout", path .. ".d" }
    elseif n == 3 then
      out[i] = { "gout", path .. "-" }
    else
      out[i] = { pick(FILES), path }
    end
  end
  if reads_any(step, "inc") then out[#out + 1] = { "dep", ("out/%s/deps"):format(id) } end
  return out
end

-- The lists whose lines a late fan may be over.
local function lists(known)
  local out = {}
  for _, one in ipairs(known) do
    if one.word == "val" and one.parse == "lines" then out[#out + 1] = one.step end
  end
  return out
end

local function fanned(step, known)
  local values, from = {}, lists(known)
  for i, v in ipairs({ "k1", "k2", "k3" }) do
    if i == 1 or chance(2) then values[#values + 1] = v end
  end
  step.fan = { kind = pick({ "matrix", "for_each", "two" }), values = values }
  if #from > 0 and chance(2) then step.fan = { kind = "late", from = pick(from) } end
  table.insert(step.reads, 2, { "item" })
  for _, w in ipairs(step.writes) do
    w[2] = w[2] .. (w[1] == "gout" and "{{item}}-" or "-{{item}}")
  end
end

local function conditions(step)
  if chance(9) then
    step.when = pick({ { "exists", "src/a" }, { "param", "p", "p1" }, { "env", "V1", "1" } })
    step.leaf = true
  elseif chance(12) then
    step.fail = math.random(2, 4)
  end
end

local function run_step(id, known, all)
  local s = { id = id, kind = "run", reads = reads_of(known, "run") }
  s.shape = pick({ "argv", "argv", "plain", "sh", "bash" })
  s.writes = writes_of(id, s)
  if chance(4) then
    s.parse = pick({ "text", "lines", "json" })
    s.normalize = s.parse == "text" and chance(2) or nil
    if chance(2) and not reads_any(s, "inc") then s.writes = {} end
  end
  if #known > 0 and chance(6) then s.needs = { pick(known).step } end
  if #known > 0 and chance(8) then s.after = { pick(known).step } end
  if chance(8) then s.cwd = "src/sub" end
  if chance(14) then s.cache = false elseif chance(10) then s.ttl = pick({ "1h", "1ms" }) end
  if chance(6) then s.extra = pick({ "src/a", "src/*.c", "src/sub/" }) end
  if s.parse == "text" and chance(2) then s.gate = pick({ "0-3", "8-b" }) end
  if #s.writes > 0 and not reads_any(s, "inc") and chance(#lists(all) > 0 and 3 or 6) then
    fanned(s, all)
  end
  if not s.fan and #s.writes == 1 and s.writes[1][1] == "out" and not s.parse and chance(8) then
    s.temp = true
  end
  conditions(s)
  return s
end

local function call_step(id, known)
  local s = { id = id, kind = "call", reads = reads_of(known, "call"), writes = {} }
  if chance(3) then s.writes[1] = { "out", ("out/%s/1"):format(id) } end
  if chance(5) then s.normalize = true end
  if chance(14) then s.cache = false end
  conditions(s)
  s.fail = nil
  return s
end

-- An idempotent edit in place of a file that nobody else may read or edit meanwhile.
local function upper_step(id)
  return { id = id, kind = "run", shape = "argv", reads = { { "tag", "t" } },
    writes = { { "upper", "src/text" } }, leaf = true }
end

-- What later steps may read of a step.
local function publish(step, known)
  if step.leaf or step.fan then return end
  for _, w in ipairs(step.writes) do
    if w[1] ~= "dep" then known[#known + 1] = { step = step.id, word = w[1], path = w[2] } end
  end
  if step.parse or step.kind == "call" then
    known[#known + 1] = { step = step.id, word = "val", parse = step.parse, normal = step.normalize }
  end
end

-- Functions read files and all values; words of commands hold no lists.
local function fit(known, kind)
  local out = {}
  for _, one in ipairs(known) do
    local tree = one.word == "link" or one.word == "dirout"
    local list = one.parse == "lines"
    if kind == "call" and not tree or kind == "run" and not list then out[#out + 1] = one end
  end
  return out
end

--- One more random step.
---@param id string
---@param known table[] what earlier steps made; added to
---@return table
function graph.step(id, known)
  local s
  if chance(4) then
    s = call_step(id, fit(known, "call"))
  else
    s = run_step(id, fit(known, "run"), known)
  end
  publish(s, known)
  return s
end

-- Neighbours become groups; a step may need a whole group.
local function grouped(steps)
  if #steps < 3 or not chance(3) then return end
  local from = math.random(#steps - 1)
  for i = from, math.min(#steps, from + math.random(2)) do
    if not steps[i].fan then steps[i].group = "g" end
  end
end

-- In bodies, and of workflows inside others, other exit codes tell of a refusal.
local function without_gates(steps)
  for _, s in ipairs(steps) do s.gate = nil end
end

--- A random graph; math.random decides.
---@return table
function graph.new()
  local known = {}
  local g = { form = chance(6) and "body" or "steps", params = { p = "p1", q = "q1" },
    sources = sources(), steps = {} }
  g.dotenv = g.sources[".env"] ~= nil
  for i = 1, math.random(2, 6) do g.steps[i] = graph.step("s" .. i, known) end
  if chance(8) then
    g.steps[#g.steps + 1] = upper_step("up")
    g.sources["src/text"] = { text = graph.words() }
  end
  if g.form ~= "body" then grouped(g.steps) end
  if g.form ~= "body" and chance(5) then
    g.inner = { graph.step("i1", {}), graph.step("i2", {}) }
    without_gates(g.inner)
  end
  if g.form == "body" then without_gates(g.steps) end
  return g
end

return graph
