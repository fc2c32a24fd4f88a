-- From a graph to the text of its workflow files.
local sum = require("tests.property.sum")

local text = {}

local function q(s) return ("%q"):format(s) end

local function list(words)
  local out = {}
  for i, w in ipairs(words) do out[i] = q(w) end
  return "{ " .. table.concat(out, ", ") .. " }"
end

local PATHS = { ["in"] = true, inc = true, tree = true, pre = true, gout = true, rl = true, out = true, xout = true, mout = true,
  cut = true, big = true, link = true, dirout = true, upper = true, dep = true }

local SAY = { text = "say", lines = "lines", json = "json" }

local function item(step)
  if not step.fan then return "" end
  if step.fan.kind == "two" then return "{{matrix.k}}{{matrix.j}}" end
  return step.fan.kind == "matrix" and "{{matrix.k}}" or "{{item}}"
end

-- A path or a word with its {{item}} as the fan-out calls it.
local function fill(step, s) return (s:gsub("{{item}}", (item(step):gsub("%%", "%%%%")))) end

local function word(step, w)
  local verb, arg = w[1], w[2]
  if verb == "param" then return ("tag={{params.%s}}"):format(arg) end
  if verb == "val" then return ("tag={{results.%s.value}}"):format(arg) end
  if verb == "item" then return "tag=" .. item(step) end
  if PATHS[verb] and step.cwd then arg = "../../" .. arg end
  return ("%s=%s"):format(verb, fill(step, arg))
end

-- The command as words.
local function words_of(step)
  local out = { "mix", "name=" .. step.id }
  for _, w in ipairs(step.reads) do out[#out + 1] = word(step, w) end
  if step.fail then out[#out + 1] = "fail=" .. step.fail end
  for _, w in ipairs(step.writes) do out[#out + 1] = word(step, w) end
  if step.parse then out[#out + 1] = SAY[step.parse] end
  return out
end

local function command(step)
  local words = words_of(step)
  if step.shape == "argv" then return list(words) end
  local line = table.concat(words, " ")
  return q(step.shape == "plain" and line or line .. " && true")
end

local function add(out, path) out[#out + 1] = path end

--- The declared inputs of a command: what its words read.
---@param step table
---@return string[]
function text.inputs(step)
  local out = {}
  local at = step.cwd and "//" or ""
  for _, r in ipairs(step.reads) do
    if r.hidden or r.tool then goto next end
    if r[1] == "pre" then add(out, at .. r[2] .. "*") end
    if r[1] == "in" or r[1] == "inc" or r[1] == "rl" then add(out, at .. r[2]) end
    if r[1] == "tree" then
      local dir, tail = r[2]:match("^(.*):(.*)$")
      add(out, at .. dir .. (tail == "" and "/" or "/**/*" .. tail))
    end
    ::next::
  end
  for _, w in ipairs(step.writes) do
    if w[1] == "upper" then add(out, at .. w[2]) end
  end
  if step.extra then add(out, at .. step.extra) end
  return out
end

local ENDS = { dirout = "/", gout = "*" }

local function outputs(step)
  local out = {}
  for _, w in ipairs(step.writes) do
    if w[1] ~= "dep" then
      add(out, (step.cwd and "//" or "") .. fill(step, w[2]) .. (ENDS[w[1]] or ""))
    end
  end
  return out
end

local function env_of(step)
  local out, seen = {}, {}
  local function take(name)
    if not seen[name] then out[#out + 1] = name end
    seen[name] = true
  end
  for _, r in ipairs(step.reads) do
    -- what a function reads need not be declared
    if r[1] == "env" and (step.kind ~= "call" or r[2] ~= "V2") then take(r[2]) end
  end
  if step.when and step.when[1] == "env" then take(step.when[2]) end
  return out
end

local function needs_of(step)
  local out, seen = {}, {}
  local function need(id)
    if not seen[id] then out[#out + 1] = id end
    seen[id] = true
  end
  for _, r in ipairs(step.reads) do
    if r[1] == "val" then need(r[2]) end
    local made = (step.kind == "call" or r[1] == "pre") and r[2] and r[2]:match("^out/([^/]*)")
    if made or r.hidden then need(r.hidden or made) end
  end
  if step.fan and step.fan.from then need(step.fan.from) end
  for _, id in ipairs(step.needs or {}) do need(id) end
  return out
end

text.needs = needs_of

--- The steps without which this one does not run: what it needs, and the makers of what it reads.
---@param step table
---@return string[]
function text.blockers(step)
  local out = needs_of(step)
  for _, r in ipairs(step.kind == "run" and step.reads or {}) do
    local files = r[1] == "in" or r[1] == "rl" or r[1] == "tree" or r[1] == "pre"
    out[#out + 1] = files and r[2]:match("^out/([^/]*)") or nil
  end
  return out
end

local function condition(when)
  if when[1] == "exists" then return ("exists('%s')"):format(when[2]) end
  if when[1] == "param" then return ("params.%s == '%s'"):format(when[2], when[3]) end
  return ("env.%s == '%s'"):format(when[2], when[3])
end

local function read_line(r)
  local verb, arg = r[1], r[2]
  if verb == "in" then return ("h = file(h, %q)"):format(arg) end
  if verb == "names" then return ("h = names(h, %q)"):format(arg) end
  if verb == "glob" then return ("h = glob(h, %q)"):format(arg) end
  if verb == "tag" then return ('h = fold(h, "t", %q)'):format(arg) end
  if verb == "param" then return ('h = fold(h, "t", ctx.params.%s)'):format(arg) end
  if verb == "env" then
    return ('do local v = os.getenv(%q); h = fold(fold(h, "e", %q), v and "v" or "u", v or "") end')
      :format(arg, arg)
  end
  return (([[do local v = ctx.results.%s.value
      h = fold(h, "t", type(v) == "table" and table.concat(v, ",") or (%s)) end]]):format(arg,
    r[4] and 'v < "8" and "0" or "8"' or "v"))
end

-- The function of a call.
local function body_of(step)
  local out = { ("function(ctx)\n    local h = %d"):format(sum.SEED) }
  for _, r in ipairs(step.reads) do add(out, read_line(r)) end
  for _, w in ipairs(step.writes) do
    add(out, ('do local f <close> = io.open(%q, "w"); f:write(hex(fold(h, "o", %q)), "\\n") end')
      :format(w[2], w[2]:match("[^/]*$")))
  end
  add(out, "return hex(h)\n  end")
  return table.concat(out, "\n    ")
end

local function fan_of(step)
  if step.fan.kind == "late" then
    return ("for_each = %q"):format(("{{results.%s.value}}"):format(step.fan.from))
  end
  if step.fan.kind == "two" then
    return ('matrix = { k = %s, j = { "m", "n" } }'):format(list(step.fan.values))
  end
  if step.fan.kind == "matrix" then return ("matrix = { k = %s }"):format(list(step.fan.values)) end
  return "for_each = " .. list(step.fan.values)
end

local function of_run(step, out)
  add(out, "run = " .. command(step))
  add(out, "inputs = " .. list(text.inputs(step)))
  if step.shape == "bash" then add(out, 'shell = "bash"') end
  for _, w in ipairs(step.writes) do
    if w[1] == "dep" then add(out, "depfile = " .. q((step.cwd and "//" or "") .. w[2])) end
  end
  if step.parse then add(out, "parse = " .. q(step.parse)) end
  if step.cwd then add(out, "cwd = " .. q(step.cwd)) end
  local tools = {}
  for _, r in ipairs(step.reads) do tools[#tools + 1] = r.tool end
  if #tools > 0 then add(out, "tools = " .. list(tools)) end
  if step.gate then
    add(out, ('gate = { check = function(ctx) return not ctx.value:find("^[%s]"), "no" end }'):format(step.gate))
  end
  if step.temp then add(out, "temp = true") end
  add(out, 'pass_env = { "MIX_DO" }')
end

--- The fields of a step, as a Lua table.
---@param step table
---@return string
function text.fields(step)
  local out = {}
  if step.kind == "call" then add(out, "call = " .. body_of(step)) else of_run(step, out) end
  if #outputs(step) > 0 then add(out, "outputs = " .. list(outputs(step))) end
  if #env_of(step) > 0 then add(out, "env = " .. list(env_of(step))) end
  if #needs_of(step) > 0 then add(out, "needs = " .. list(needs_of(step))) end
  if step.after then add(out, "after = " .. list(step.after)) end
  if step.when then add(out, "when = " .. q(condition(step.when))) end
  if step.normalize then add(out, [[normalize = function(v) return v < "8" and "0" or "8" end]]) end
  if step.cache == false then add(out, "cache = false") end
  if step.ttl then add(out, ("cache = { ttl = %q }"):format(step.ttl)) end
  if step.fan then add(out, fan_of(step)) end
  return "{ " .. table.concat(out, ",\n    ") .. " }"
end

local function head(g, name)
  local out = { 'local o = require("orrery")', sum.TEXT, ("return o.workflow %q {"):format(name),
    ("  params = { p = %q, q = %q },"):format(g.params.p, g.params.q) }
  if g.dotenv then add(out, '  dotenv = { ".env" },') end
  return out
end

-- A body does by hand what a graph under -k does: what needs a failure does not run.
local BODY = [[
  body = function(w)
  local fine, bad = {}, nil
  local function step(id, needs, fields)
    for _, n in ipairs(needs) do
      if not fine[n] then return end
    end
    fine[id] = pcall(w.step, w, id, fields)
    bad = bad or not fine[id] and id or nil
  end]]

-- In a fixed disorder: the order of a file means nothing.
local function shuffled(steps, turn)
  local out = {}
  for i = 1, #steps do out[i] = steps[(i + turn) % #steps + 1] end
  return out
end

local function steps_text(out, steps)
  for _, s in ipairs(steps) do
    if not s.group then add(out, ("  o.step %q %s,"):format(s.id, text.fields(s))) end
  end
  local group = {}
  for _, s in ipairs(steps) do
    if s.group then add(group, ("    o.step %q %s,"):format(s.id, text.fields(s))) end
  end
  if #group > 0 then add(out, '  o.group "g" {\n' .. table.concat(group, "\n") .. "\n  },") end
end

--- The workflow files of a graph, path → text.
---@param g table
---@return table<string, string>
function text.files(g)
  local out = head(g, "w")
  if g.form == "body" then
    add(out, BODY)
    for _, s in ipairs(g.steps) do
      add(out, ("  step(%q, %s, %s)"):format(s.id, list(text.blockers(s)), text.fields(s)))
    end
    add(out, '  if bad then error("failed: " .. bad) end\n  end,')
  else
    steps_text(out, shuffled(g.steps, g.turn or 0))
  end
  local files = {}
  if g.inner and #g.inner > 0 then
    add(out, '  o.step "sub" { workflow = "inner", with = { p = "{{params.q}}", q = "x" } },')
    local inner = head(g, "inner")
    steps_text(inner, g.inner)
    add(inner, "}\n")
    files["workflows/inner.lua"] = table.concat(inner, "\n")
  end
  add(out, "}\n")
  files["workflows/w.lua"] = table.concat(out, "\n")
  return files
end

return text
